package xds

// PrincipalsOfTheUnknown looks for principals where gRPC shows no listener.
func PrincipalsOfTheUnknown(address string) error { return description{}.principals(address) }

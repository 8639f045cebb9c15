package policy

// Guarded returns a layer of guards. They hold for every method that a linked .proto describes, and so also for
// methods about which nothing else is stated.
func Guarded(guards ...Guard) Layer { return Layer{everywhere: &terms{auth: Auth{Guards: guards}}} }

// GuardedOnTrial returns a layer of guards that are only tried: what they would refuse is logged and counted, and
// passes.
func GuardedOnTrial(guards ...Guard) Layer {
	return Layer{everywhere: &terms{trial: Auth{Guards: guards}}}
}

// Decided returns a layer that says who may call the methods about which no other statement decides, stated at source.
// It neither opens nor closes any other method.
func Decided(access Access, source Source) Layer {
	return Layer{everywhere: &terms{otherwise: Value[Access]{access, source}}}
}

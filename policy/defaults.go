package policy

// What bounds a policy and the memory of a View.
const (
	// The most attempts that a policy may ask for; more make an outage worse and never help.
	maxAttemptsLimit = 10
	// The most hedges that a policy may ask for.
	maxHedgesLimit = maxAttemptsLimit - 1
	// How many methods that no linked .proto describes a View keeps; further ones are compiled for each call.
	maxUndescribedMethods = 1024
	// The longest name, in bytes, of a method that no linked .proto describes and that a View keeps.
	maxUndescribedName = 256
)

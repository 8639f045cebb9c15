package policy

// What bounds a policy and the memory of a View.
const (
	// The most attempts that a policy may ask for; more make an outage worse and never help.
	maxAttemptsLimit = 10
	// The most hedges that a policy may ask for.
	maxHedgesLimit = maxAttemptsLimit - 1
	// The most rules of one kind that one place may state about a method.
	maxRules = 64
	// The longest name of a rule, in bytes.
	maxRuleName = 64
	// How deep a claim may stand.
	maxClaimPath = 8
	// The most values that one operator of a condition may list.
	maxRuleValues = 256
	// The largest number that a claim may be compared with; beyond it a JSON number and a float64 are not the same.
	maxExactNumber = 1<<53 - 1
	// How many methods that no linked .proto describes a View keeps; further ones are compiled for each call.
	maxUndescribedMethods = 1024
	// The longest name, in bytes, of a method that no linked .proto describes and that a View keeps.
	maxUndescribedName = 256
)

package rules

// Rule is one house rule.
type Rule struct {
	// Name is one word; the rule's fixtures lie in testdata/<Name>.
	Name string
	// Check returns everything in the tree that breaks the rule.
	Check func(*Tree) []Finding
}

// All returns every rule.
func All() []Rule {
	return []Rule{
		{"direction", checkDirection},
		{"packages", checkPackages},
		{"globals", checkGlobals},
		{"state", checkState},
		{"inits", checkInits},
		{"docs", checkDocs},
		{"tests", checkTests},
		{"modules", checkModules},
		{"lines", checkLines},
		{"options", checkOptions},
		{"single", checkSingle},
		{"checks", checkChecks},
	}
}

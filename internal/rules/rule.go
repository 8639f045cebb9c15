package rules

import (
	"fmt"
	"go/token"
)

// Rule is one house rule.
type Rule struct {
	// Name is one word; the rule's fixtures lie in testdata/<Name>.
	Name string
	// Check returns everything in the tree that breaks the rule.
	Check func(*Tree) []Finding
}

// Finding is one place that breaks a rule.
type Finding struct {
	// Pos is where, from the root of the repository.
	Pos token.Position
	// What breaks the rule.
	What string
	// Remedy is what to do about it.
	Remedy string
}

func (f Finding) String() string {
	return fmt.Sprintf("%s:%d: %s; %s", f.Pos.Filename, f.Pos.Line, f.What, f.Remedy)
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
	}
}

package rules

import (
	"fmt"
	"go/token"
)

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

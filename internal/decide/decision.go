package decide

import (
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/rpcerr"
)

// Decision says whether a call meets the requirements. The zero Decision lets the call pass.
type Decision struct {
	reason rpcerr.Reason // "" lets the call pass
	why    string        // never says what a token holds
	name   string        // of the rule, scope or issuer that decided, where one did
	source *policy.Source
	guard  bool // a guard refused
}

// Allows reports whether the call passes.
func (d Decision) Allows() bool { return d.reason == "" }

// Reason is the public reason of a refusal, and "" for a call that passes.
func (d Decision) Reason() rpcerr.Reason { return d.reason }

// OfGuard reports whether a guard refused, whose rules may be about calls that their author did not think of.
func (d Decision) OfGuard() bool { return d.guard }

// Source is where the requirement is stated that a refusal rests on. Only a refusal has one.
func (d Decision) Source() policy.Source { return *d.source }

// Error is the private reason of a refusal.
func (d Decision) Error() string {
	if d.name == "" {
		return d.why
	}
	return d.why + " " + d.name
}

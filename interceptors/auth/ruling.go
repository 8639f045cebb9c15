package auth

import (
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/rpcerr"
)

// ruling is what demands make of a call.
type ruling struct {
	reason rpcerr.Reason // "" lets the call pass
	why    string        // never says what a token holds
	name   string        // of the rule, scope or issuer that decided, where one did
	source *policy.Source
	stepUp bool // whether only scopes or claims were missing
}

func (r ruling) allows() bool { return r.reason == "" }

// Error is the private reason of a refusal.
func (r ruling) Error() string {
	text := r.why
	if r.name != "" {
		text += " " + r.name
	}
	return text
}

func brokenRule(r *rule) ruling {
	return ruling{why: "a predicate panicked in rule", name: r.stated.Name, source: &r.stated.Source}
}

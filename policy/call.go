package policy

import (
	"context"
	"fmt"
	"strings"

	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// Call is what is known of a call when a server judges by a policy whether it may be made.
type Call struct {
	// Method is its full name.
	Method string
	// Peer is the proven caller, or nil when it has proven nothing. It must not be changed.
	Peer *principal.Peer
	// User is the end user, or nil when the call names none. It must not be changed.
	User *principal.User
	// Request is the decoded message of a unary call. It is nil for a stream, and must not be changed.
	Request any
}

// Predicate is a condition of the program's own, which rules of the policy name. It must be quick and safe for
// concurrent use. When it panics, the call is refused, whatever the rule.
type Predicate func(ctx context.Context, call Call) bool

// UndecidedError names the methods for which no policy decides who may call them.
type UndecidedError struct {
	// Methods are their full names, sorted.
	Methods []string
}

// Error names the methods and says where a decision is stated.
func (e *UndecidedError) Error() string {
	return fmt.Sprintf("policy: no policy decides who may call %s: state it in the .proto, with "+
		"option (parley.policy.v1.method) = {auth: {access: ACCESS_AUTHENTICATED}} in the rpc or (parley.policy.v1.service) "+
		"in the service, or in a layer of the policy table", strings.Join(e.Methods, ", "))
}

// Explanation is how a policy comes to its decision on a call. It is for operators: it names rules and places, which no
// caller may learn. As JSON it has the keys that stand at its fields.
type Explanation struct {
	// Method is the full name of the method.
	Method string `json:"method"`
	// Allowed says that the call passes.
	Allowed bool `json:"allowed"`
	// Reason is the public reason of the refusal, and "" for a call that passes.
	Reason rpcerr.Reason `json:"reason,omitempty"`
	// Why is the private reason, in words.
	Why string `json:"why,omitempty"`
	// Steps are the questions that were asked, in this order, up to the one that decided.
	Steps []Step `json:"steps"`
	// Trial is the decision by the requirements that are only on trial, and nil where there are none.
	Trial *Explanation `json:"trial,omitempty"`
}

// Step is one question on the way to a decision.
type Step struct {
	// Asked is the question: "deny", "allow", "user", "carrier", "peers" or "scopes", and "decided" for the refusal
	// itself.
	Asked string `json:"asked"`
	// Rule is the rule that was asked, as the policy states it, and "" where it was no rule.
	Rule string `json:"rule,omitempty"`
	// Outcome is the answer.
	Outcome string `json:"outcome"`
	// Source is where the requirement is stated.
	Source Source `json:"source"`
}

// String writes the explanation for people to read: a line for the decision and one for each step.
func (e Explanation) String() string {
	var b strings.Builder
	e.write(&b, "")
	if e.Trial != nil {
		b.WriteString("on trial: ")
		e.Trial.write(&b, "  ")
	}
	return b.String()
}

func (e Explanation) write(b *strings.Builder, indent string) {
	if e.Allowed {
		fmt.Fprintf(b, "%s: allowed\n", e.Method)
	} else {
		fmt.Fprintf(b, "%s: refused, %s: %s\n", e.Method, e.Reason, e.Why)
	}
	for _, s := range e.Steps {
		fmt.Fprintf(b, "%s  %s", indent, s.Asked)
		if s.Rule != "" {
			fmt.Fprintf(b, " %s", s.Rule)
		}
		fmt.Fprintf(b, ": %s (%s)\n", s.Outcome, s.Source)
	}
}

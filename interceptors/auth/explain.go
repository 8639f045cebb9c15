package auth

import (
	"context"
	"fmt"
	"strings"

	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/rpcerr"
)

// Explanation is how a [Gate] comes to its decision on a call. It is for operators: it names rules and places, which no caller
// may learn.
type Explanation struct {
	// Method is the full name of the method.
	Method string
	// Allowed tells whether the call passes.
	Allowed bool
	// Reason is the public reason of the refusal, and "" for a call that passes.
	Reason rpcerr.Reason
	// Why is the private reason, in words.
	Why string
	// Steps are what was asked, in this order, up to what decided.
	Steps []Step
	// Trial is what those demands say that are only tried, and nil where there are none.
	Trial *Explanation
}

// Step is one question on the way to a decision.
type Step struct {
	// Asked is what was asked: "deny", "allow", "user", "carrier", "peers" or "scopes", and "decided" for the refusal itself.
	Asked string
	// Rule is the rule that was asked, as the policy states it, and "" where it was no rule.
	Rule string
	// Outcome says what came of it.
	Outcome string
	// Source is where the demand is stated.
	Source policy.Source
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

// Explain decides on a call as the interceptors do, and tells how. Call says what would be known of it; its Method must be the
// full name. Predicates are asked, and nothing is logged or counted.
func (g *Gate) Explain(ctx context.Context, call Call) Explanation {
	d, err := g.view.Get(call.Method)
	if err != nil {
		return Explanation{Method: call.Method, Reason: rpcerr.PolicyDenied, Why: err.Error()}
	}
	e := g.explain(ctx, &d.force, call)
	if d.trial != nil {
		trial := g.explain(ctx, d.trial, call)
		e.Trial = &trial
	}
	return e
}

func (g *Gate) explain(ctx context.Context, d *demands, call Call) Explanation {
	var t trail
	r := d.rule(ctx, &call, &t)
	e := Explanation{Method: call.Method, Allowed: r.allows(), Steps: t.steps}
	if !e.Allowed {
		e.Reason, e.Why = g.refusal(r).Reason, r.Error()
	}
	return e
}

// trail keeps the steps of a decision. A nil trail keeps nothing.
type trail struct{ steps []Step }

const (
	askedDeny  = "deny"
	askedAllow = "allow"
)

func (t *trail) rule(list string, r *rule, m match) {
	if t == nil {
		return
	}
	outcome := "does not hold"
	switch m {
	case misses:
	case lacks:
		if list == askedAllow {
			outcome = "lacks scopes or claims"
		}
	case fits:
		outcome = "holds"
	case broke:
		outcome = "a predicate panicked"
	}
	t.steps = append(t.steps, Step{Asked: list, Rule: r.stated.String(), Outcome: outcome, Source: r.stated.Source})
}

// demand keeps a demand that is stated and met.
func (t *trail) demand(asked string, source *policy.Source) {
	if t == nil || source.Kind == policy.KindUnset {
		return
	}
	t.steps = append(t.steps, Step{Asked: asked, Outcome: "met", Source: *source})
}

// end keeps what a refusal rests on, where no rule has said it.
func (t *trail) end(r ruling) ruling {
	if t != nil && !r.allows() {
		t.steps = append(t.steps, Step{Asked: "decided", Outcome: r.Error(), Source: *r.source})
	}
	return r
}

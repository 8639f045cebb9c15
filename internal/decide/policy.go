package decide

import (
	"context"
	"errors"

	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/rpcerr"
)

// Policy is the policy of one method, compiled: the requirements that are in force, and those that are only on trial. The
// zero Policy lets no call pass. It never changes.
type Policy struct {
	force    requirements
	trial    *requirements
	proof    policy.Proof
	warnings []*policy.Mistake
}

// Compile compiles the policy of a method. The error is a [policy.UndecidedError], or joins every mistake, those among them
// that no call could meet the requirements.
func Compile(m policy.Method, s *Server) (*Policy, error) {
	if m.Auth.Access.Value == policy.AccessUnspecified {
		return nil, &policy.UndecidedError{Methods: []string{m.Name}}
	}
	force, err := compile(m, m.Auth, s)
	p := &Policy{force: *force, proof: m.Auth.Proof.Value, warnings: m.Warnings()}
	errs := []error{err}
	if states(m.Trial) {
		p.trial, err = compile(m, m.Trial, s)
		errs = append(errs, err)
	}
	return p, errors.Join(errs...)
}

// states reports whether anything is stated.
func states(a policy.Auth) bool {
	return a.Access.Stated() || a.Carrier.Stated() || len(a.Deny) > 0 || a.User.Stated()
}

// Proof is the proof that server and caller owe each other in token mode.
func (p *Policy) Proof() policy.Proof { return p.proof }

// Warnings are what may surprise in the policy.
func (p *Policy) Warnings() []*policy.Mistake { return p.warnings }

// Judge decides on a call by the requirements that are in force. It allocates nothing.
func (p *Policy) Judge(ctx context.Context, call *policy.Call) Decision {
	return p.force.judge(ctx, call, nil)
}

// Try decides on a call by the requirements that are on trial. Without any the call passes.
func (p *Policy) Try(ctx context.Context, call *policy.Call) Decision {
	if p.trial == nil {
		return Decision{}
	}
	return p.trial.judge(ctx, call, nil)
}

// Explain decides on a call as Judge and Try do, and keeps how.
func (p *Policy) Explain(ctx context.Context, call *policy.Call) policy.Explanation {
	e := p.force.explain(ctx, call)
	if p.trial != nil {
		trial := p.trial.explain(ctx, call)
		e.Trial = &trial
	}
	return e
}

// Decision is what the requirements make of a call. The zero Decision lets it pass.
type Decision struct {
	reason rpcerr.Reason // "" lets the call pass
	why    string        // never says what a token holds
	name   string        // of the rule, scope or issuer that decided, where one did
	source *policy.Source
}

// Allows reports whether the call passes.
func (d Decision) Allows() bool { return d.reason == "" }

// Reason is the public reason of a refusal, and "" for a call that passes.
func (d Decision) Reason() rpcerr.Reason { return d.reason }

// Source is where the requirement is stated that a refusal rests on. Only a refusal has one.
func (d Decision) Source() policy.Source { return *d.source }

// Error is the private reason of a refusal.
func (d Decision) Error() string {
	if d.name == "" {
		return d.why
	}
	return d.why + " " + d.name
}

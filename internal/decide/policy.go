package decide

import (
	"context"
	"errors"

	"github.com/parley-rpc/parley/policy"
)

// Policy is the policy of one method, compiled: the requirements that are in force, and those that are only on trial.
// The zero Policy lets no call pass. It never changes.
type Policy struct {
	force    requirements
	trial    *requirements
	proof    policy.Proof
	warnings []*policy.Mistake
}

// Compile compiles the policy of a method. The error is a [policy.UndecidedError], or joins every mistake, those among
// them that no call could meet the requirements.
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
	return a.Access.Stated() || a.Carrier.Stated() || len(a.Deny) > 0 || a.User.Stated() ||
		len(a.Guards) > 0
}

// Proof is the proof that server and caller owe each other in token mode.
func (p *Policy) Proof() policy.Proof { return p.proof }

// Warnings are what may surprise in the policy.
func (p *Policy) Warnings() []*policy.Mistake { return p.warnings }

// Judge decides on a call by the requirements that are in force. It allocates nothing.
func (p *Policy) Judge(ctx context.Context, call *policy.Call) Decision {
	return p.judge(ctx, call, nil)
}

func (p *Policy) judge(ctx context.Context, call *policy.Call, t *trail) Decision {
	if p.force.access.Value == policy.AccessUnspecified { // which a trial may leave open, and nothing else
		undecided := Decision{why: "no policy decides who may call", source: &p.force.access.Source}
		return t.end(p.force.refuse(call, undecided))
	}
	return p.force.judge(ctx, call, t)
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
	e := explain(ctx, call, p.judge)
	if p.trial != nil {
		trial := explain(ctx, call, p.trial.judge)
		e.Trial = &trial
	}
	return e
}

func explain(
	ctx context.Context, call *policy.Call, judge func(context.Context, *policy.Call, *trail) Decision,
) policy.Explanation {
	t := trail{steps: []policy.Step{}} // as JSON they are a list, even without any
	decision := judge(ctx, call, &t)
	e := policy.Explanation{Method: call.Method, Allowed: decision.Allows(), Steps: t.steps}
	if !e.Allowed {
		e.Reason, e.Why = decision.reason, decision.Error()
	}
	return e
}

package decide

import "github.com/parley-rpc/parley/policy"

// trail keeps the steps of a decision. A nil trail keeps nothing.
type trail struct{ steps []policy.Step }

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
	t.steps = append(t.steps, policy.Step{Asked: list, Rule: r.stated.String(), Outcome: outcome, Source: r.stated.Source})
}

// met keeps a requirement that is stated and met.
func (t *trail) met(asked string, source *policy.Source) {
	if t == nil || source.Kind == policy.KindUnset {
		return
	}
	t.steps = append(t.steps, policy.Step{Asked: asked, Outcome: "met", Source: *source})
}

// end keeps the requirement that a refusal rests on.
func (t *trail) end(r Decision) Decision {
	if t != nil && !r.Allows() {
		t.steps = append(t.steps, policy.Step{Asked: "decided", Outcome: r.Error(), Source: *r.source})
	}
	return r
}

package policy_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

// wall is a guard that refuses every call. Walls of one name are the same.
type wall struct{ name string }

func (w *wall) String() string { return "wall " + w.name }

func (w *wall) Compile(string, principal.TrustDomain) (policy.MethodGuard, error) { return w, nil }

func (w *wall) Same(other policy.Guard) bool {
	o, ok := other.(*wall)
	return ok && o.name == w.name
}

func (w *wall) Judge(context.Context, policy.Call) *policy.Objection {
	return &policy.Objection{Why: "there is a wall"}
}

func (w *wall) Explain(ctx context.Context, call policy.Call) (*policy.Objection, []policy.Step) {
	return w.Judge(ctx, call), nil
}

// names are the guards of a method, in force and on trial.
func names(m policy.Method) string {
	var all []string
	for _, g := range m.Auth.Guards {
		all = append(all, g.String())
	}
	for _, g := range m.Trial.Guards {
		all = append(all, "trial "+g.String())
	}
	return strings.Join(all, ", ")
}

func TestGuardsHoldForEveryMethod(t *testing.T) {
	table := newTable(t,
		policy.Guarded(&wall{"a"}), policy.GuardedOnTrial(&wall{"b"}), policy.Guarded(&wall{"a"}, &wall{"c"}))
	for _, name := range []string{getQuote, watchCharge, getOrder, "/grpc.health.v1.Health/Check"} {
		m := method(t, table, name)
		if got := names(m); got != "wall a, wall c, trial wall b" {
			t.Errorf("%s: %s", name, got)
		}
		if text := m.String(); !strings.Contains(text, "guard") || !strings.Contains(text, "on trial: guard") {
			t.Errorf("%s does not show its guards:\n%s", name, text)
		}
	}
	if m := method(t, table, "/nobody.Knows/Me"); len(m.Auth.Guards) > 0 || m.Auth.Access.Stated() {
		t.Errorf("a method that no .proto describes has %v", m.Auth)
	}
}

// A decision for methods without one neither opens nor closes any other, whatever the order of the layers.
func TestDecided(t *testing.T) {
	const health = "/grpc.health.v1.Health/Check"
	source := policy.Source{Kind: policy.KindFile, Place: "mesh.yaml:1"}
	decided := policy.Decided(policy.AccessAuthenticated, source)
	open := code(policies{health: auth(&policyv1.Auth{Access: policyv1.Access_ACCESS_ANONYMOUS.Enum()})})
	for _, test := range []struct {
		name   string
		method string
		layers []policy.Layer
		want   policy.Access
	}{
		{"where nothing decides", health, []policy.Layer{decided}, policy.AccessAuthenticated},
		{"where code decides", health, []policy.Layer{decided, open}, policy.AccessAnonymous},
		{"where code decides first", health, []policy.Layer{open, decided}, policy.AccessAnonymous},
		{"where the .proto decides", charge, []policy.Layer{decided}, policy.AccessPeers},
		{
			"of two the stricter one", health,
			[]policy.Layer{policy.Decided(policy.AccessDenied, source), decided},
			policy.AccessDenied,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := method(t, newTable(t, test.layers...), test.method).Auth.Access
			if got.Value != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
			if test.name == "where nothing decides" && got.Source != source {
				t.Errorf("the source is %v", got.Source)
			}
		})
	}
}

// The rules of guards are not compared, so that a guard that goes or changes opens.
func TestCompareSeesGuards(t *testing.T) {
	a, b := policy.Method{Auth: policy.Auth{Guards: []policy.Guard{&wall{"a"}}}}, policy.Method{}
	c := policy.Method{Auth: policy.Auth{Guards: []policy.Guard{&wall{"c"}}}}
	trial := policy.Method{Trial: a.Auth}
	for name, test := range map[string]struct {
		before, after policy.Method
		want          []policy.Effect
	}{
		"the same": {a, policy.Method{Auth: policy.Auth{Guards: []policy.Guard{&wall{"a"}}}}, nil},
		"gone":     {a, b, []policy.Effect{policy.EffectOpens}},
		"new":      {b, a, []policy.Effect{policy.EffectCloses}},
		"changed":  {a, c, []policy.Effect{policy.EffectOpens, policy.EffectCloses}},
		"on trial": {b, trial, []policy.Effect{policy.EffectNone}},
	} {
		var got []policy.Effect
		for _, change := range policy.Compare(test.before, test.after) {
			got = append(got, change.Effect)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

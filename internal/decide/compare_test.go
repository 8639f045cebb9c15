package decide_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/internal/decide"
	"github.com/parley-rpc/parley/internal/rounds"
	"github.com/parley-rpc/parley/policy"
)

// A call that one policy refuses and another one allows is announced by policy.Compare: the change opens, and the other
// way round it closes.
func TestCompareMissesNoOpening(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	j := &judged{t: t}
	odd := withPredicate("odd", func(_ context.Context, call policy.Call) bool {
		return call.User != nil && len(call.User.Subject)%2 == 1
	})
	opened := 0
	for range rounds.Of(150) {
		before, err1 := merged([]*policyv1.Auth{randomAuth(r)})
		after, err2 := merged([]*policyv1.Auth{randomAuth(r)})
		if err1 != nil || err2 != nil {
			continue // random rules may contradict each other
		}
		one, err1 := decide.Compile(before, server(t, odd))
		other, err2 := decide.Compile(after, server(t, odd))
		if err1 != nil || err2 != nil {
			continue
		}
		changes := policy.Compare(before, after)
		opens := slices.ContainsFunc(changes, func(c policy.Change) bool { return c.Effect == policy.EffectOpens })
		closes := slices.ContainsFunc(changes, func(c policy.Change) bool { return c.Effect == policy.EffectCloses })
		for range 40 {
			call := randomCall(r, j)
			was, is := one.Explain(t.Context(), &call), other.Explain(t.Context(), &call)
			if is.Allowed && !was.Allowed {
				opened++
				if !opens {
					t.Fatalf("not announced: %v\nbefore: %v\nafter: %v", changes, was, is)
				}
			}
			if was.Allowed && !is.Allowed && !closes {
				t.Fatalf("not announced: %v\nbefore: %v\nafter: %v", changes, was, is)
			}
		}
	}
	if opened < 100 {
		t.Errorf("%d opened calls prove nothing", opened)
	}
}

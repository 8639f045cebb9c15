package decide_test

import (
	"context"
	"testing"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/internal/decide"
	"github.com/parley-rpc/parley/policy"
)

// decisions are calls that take the longest ways through a full policy: one that every deny rule and all but the last
// allow rule are asked about, one that the last deny rule refuses, and one for which nothing holds.
func decisions(t testing.TB) (*decide.Policy, map[string]*policy.Call) {
	stated := &policyv1.Auth{
		Peers: []string{"orders", "reports"}, Scopes: []string{"read"},
		User: &policyv1.User{
			Presence: policyv1.Presence_PRESENCE_REQUIRED.Enum(),
			Issuers:  []string{loginName},
			Scopes:   []string{"buy"},
		},
		Deny: []*policyv1.Rule{
			{Name: new("no-dev"), Claims: []*policyv1.Claim{{Path: []string{"env"}, Any: values("dev", "test")}}},
			{
				Name: new("no-guests"),
				User: &policyv1.UserCondition{Claims: []*policyv1.Claim{{Path: []string{"realm", "roles"}, Any: values("guest")}}},
			},
		},
		Allow: []*policyv1.Rule{
			{Name: new("batch"), Peers: []string{"reports"}},
			{Name: new("shoppers"), Predicates: []string{"open"}, User: &policyv1.UserCondition{Claims: []*policyv1.Claim{
				{Path: []string{"scp"}, Split: policyv1.Split_SPLIT_SPACE.Enum(), All: values("buy", "browse")},
				{Path: []string{"mfa"}, Equals: value(true)},
				{Path: []string{"level"}, Any: values(2, 3)},
			}}},
		},
	}
	j := judge(t, stated, withPredicate("open", func(context.Context, policy.Call) bool { return true }))
	call := func(roles, level string) *policy.Call {
		claims := `{"realm":{"groups":["a","b"],"roles":["member","` + roles + `"]},` +
			`"scp":"browse sell buy","mfa":true,"level":` + level + `}`
		return &policy.Call{
			Method: quote,
			Peer:   j.peer("orders", `{"env":"prod"}`, "read"),
			User:   j.user("alice", claims, "buy"),
		}
	}
	return j.policy, map[string]*policy.Call{
		"allow":        call("buyer", "3"),
		"deny":         call("guest", "3"),
		"default deny": call("buyer", "1"),
	}
}

func TestADecisionAllocatesNothing(t *testing.T) {
	compiled, calls := decisions(t)
	for name, call := range calls {
		if got := compiled.Judge(t.Context(), call).Allows(); got != (name == "allow") {
			t.Errorf("%s: the call passes: %v", name, got)
		}
		if allocs := testing.AllocsPerRun(100, func() { compiled.Judge(t.Context(), call).Allows() }); allocs != 0 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
}

// A call stays on the stack of the interceptor that asks, even where guards judge it.
func TestAGuardedDecisionAllocatesNothing(t *testing.T) {
	compiled, err := guarded(t, quote, policy.Guarded(newAgainst("billing"), newAgainst("reports")))
	if err != nil {
		t.Fatal(err)
	}
	ctx, caller := t.Context(), peer(t, "orders", "read")
	if allocs := testing.AllocsPerRun(100, func() {
		call := policy.Call{Method: quote, Peer: caller}
		if !compiled.Judge(ctx, &call).Allows() {
			t.Error("refused")
		}
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// BenchmarkDecision is a decision by a full policy: scopes, peers, a user, two deny and two allow rules with nested
// claims.
func BenchmarkDecision(b *testing.B) {
	compiled, calls := decisions(b)
	for _, name := range []string{"allow", "deny", "default deny"} {
		b.Run(name, func(b *testing.B) {
			call, ctx := calls[name], b.Context()
			b.ReportAllocs()
			for b.Loop() {
				if compiled.Judge(ctx, call).Allows() != (name == "allow") {
					b.Fatal("another decision")
				}
			}
		})
	}
}

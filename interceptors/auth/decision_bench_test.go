package auth_test

import (
	"context"
	"testing"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

// decisions are calls that take the longest ways through a full policy: one that every deny rule and all but the last
// allow rule are asked about, one that the last deny rule refuses, and one for which nothing holds.
func decisions(t testing.TB) (*auth.Gate, map[string]*policy.Call) {
	w := newWorld(t)
	w.enroll("payments")
	stated := &policyv1.Auth{
		Peers: []string{"orders", "reports"}, Scopes: []string{"read"},
		User: &policyv1.User{Presence: policyv1.Presence_PRESENCE_REQUIRED.Enum(), Issuers: []string{loginName}, Scopes: []string{"buy"}},
		Deny: []*policyv1.Rule{
			{Name: new("no-dev"), Claims: []*policyv1.Claim{{Path: []string{"env"}, Any: values("dev", "test")}}},
			{Name: new("no-guests"), User: &policyv1.UserCondition{Claims: []*policyv1.Claim{{Path: []string{"realm", "roles"}, Any: values("guest")}}}},
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
	open := auth.WithPredicate("open", func(context.Context, policy.Call) bool { return true })
	gate := w.identity("payments").Server(tableOf(t, narrow(stated)), append(judgeOptions(t), open)...)
	if err := gate.Resolve(paymentsv1.PaymentsService_GetQuote_FullMethodName); err != nil {
		t.Fatal(err)
	}
	call := func(roles, level string) *policy.Call {
		return &policy.Call{
			Method: paymentsv1.PaymentsService_GetQuote_FullMethodName,
			Peer:   &principal.Peer{ID: w.id("orders"), Carrier: principal.CarrierToken, Scopes: []string{"read"}, Claims: parsed(t, `{"env":"prod"}`)},
			User: &principal.User{Issuer: loginName, Subject: "alice", Scopes: []string{"buy"}, Claims: parsed(t,
				`{"realm":{"groups":["a","b"],"roles":["member","`+roles+`"]},"scp":"browse sell buy","mfa":true,"level":`+level+`}`)},
		}
	}
	return gate, map[string]*policy.Call{"allow": call("buyer", "3"), "deny": call("guest", "3"), "default deny": call("buyer", "1")}
}

func TestADecisionAllocatesNothing(t *testing.T) {
	const runs = 5000 // so many that what the watch of the trust directory allocates meanwhile does not count
	gate, calls := decisions(t)
	for name, call := range calls {
		if got := auth.Allows(t.Context(), gate, call); got != (name == "allow") {
			t.Errorf("%s: the call passes: %v", name, got)
		}
		if allocs := testing.AllocsPerRun(runs, func() { auth.Allows(t.Context(), gate, call) }); allocs != 0 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
}

// BenchmarkDecision is a decision by a full policy: scopes, peers, a user, two deny and two allow rules with nested
// claims.
func BenchmarkDecision(b *testing.B) {
	gate, calls := decisions(b)
	for _, name := range []string{"allow", "deny", "default deny"} {
		b.Run(name, func(b *testing.B) {
			call, ctx := calls[name], b.Context()
			b.ReportAllocs()
			for b.Loop() {
				if auth.Allows(ctx, gate, call) != (name == "allow") {
					b.Fatal("another decision")
				}
			}
		})
	}
}

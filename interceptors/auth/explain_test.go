package auth_test

import (
	"testing"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/policy"
)

// The explanation names each question, the rule that was asked and its place, up to the one that decided.
func TestExplain(t *testing.T) {
	w := newWorld(t)
	w.enroll("payments")
	const health = "/grpc.health.v1.Health/Check"
	j := &judged{t: t, w: w}
	stated := &policyv1.Auth{
		Peers: []string{"orders", "reports"},
		Deny:  []*policyv1.Rule{{Name: new("no-dev"), Claims: []*policyv1.Claim{{Path: []string{"env"}, Any: values("dev")}}}},
		Allow: []*policyv1.Rule{
			{Name: new("readers"), Peers: []string{"orders"}, Scopes: []string{"read"}},
			{Name: new("shoppers"), User: &policyv1.UserCondition{Subjects: []string{"alice"}}},
		},
		User: &policyv1.User{Presence: policyv1.Presence_PRESENCE_OPTIONAL.Enum()},
	}
	trial := &policyv1.Auth{DryRun: new(true), Deny: []*policyv1.Rule{{Name: new("no-orders"), Peers: []string{"orders"}}}}
	table := tableOf(t, codeAt("main.go:31", health, stated), codeAt("main.go:77", health, trial))
	gate := w.identity("payments").Server(table, judgeOptions(t)...)
	for name, test := range map[string]struct {
		call policy.Call
		want string
	}{
		"allowed": {policy.Call{Peer: j.peer("reports", ""), User: j.user("alice", "")}, `/grpc.health.v1.Health/Check: allowed
  deny no-dev: claim env any "dev": does not hold (code main.go:31)
  peers: met (code main.go:31)
  user: met (code main.go:31)
  allow readers: peers orders; scopes read: does not hold (code main.go:31)
  allow shoppers: user; user subjects alice: holds (code main.go:31)
on trial: /grpc.health.v1.Health/Check: allowed
    deny no-orders: peers orders: does not hold (code main.go:77)
`},
		"denied": {policy.Call{Peer: j.peer("orders", `{"env":"dev"}`)}, `/grpc.health.v1.Health/Check: refused, POLICY_DENIED: denied by rule no-dev
  deny no-dev: claim env any "dev": holds (code main.go:31)
  decided: denied by rule no-dev (code main.go:31)
on trial: /grpc.health.v1.Health/Check: refused, POLICY_DENIED: denied by rule no-orders
    deny no-orders: peers orders: holds (code main.go:77)
    decided: denied by rule no-orders (code main.go:77)
`},
		"nobody": {policy.Call{}, `/grpc.health.v1.Health/Check: refused, CREDENTIALS_MISSING: the caller has proven nothing
  decided: the caller has proven nothing (code main.go:31)
on trial: /grpc.health.v1.Health/Check: allowed
    deny no-orders: peers orders: does not hold (code main.go:77)
`},
	} {
		test.call.Method = health
		if got := gate.Explain(t.Context(), test.call).String(); got != test.want {
			t.Errorf("%s: got\n%swant\n%s", name, got, test.want)
		}
	}
	if e := gate.Explain(t.Context(), policy.Call{Method: "/not.there/Do"}); e.Allowed || e.Why == "" {
		t.Errorf("a method that nobody decided about: %v", e)
	}
}

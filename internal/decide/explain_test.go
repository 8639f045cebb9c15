package decide_test

import (
	"testing"

	_ "google.golang.org/grpc/health/grpc_health_v1" // describes a method that no file of this module does

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/internal/decide"
	"github.com/parley-rpc/parley/policy"
)

// The explanation names each question, the rule that was asked and its place, up to the one that decided.
func TestExplain(t *testing.T) {
	const health = "/grpc.health.v1.Health/Check"
	j := &judged{t: t}
	stated := &policyv1.Auth{
		Peers: []string{"orders", "reports"},
		Deny: []*policyv1.Rule{
			{Name: new("no-dev"), Claims: []*policyv1.Claim{{Path: []string{"env"}, Any: values("dev")}}},
		},
		Allow: []*policyv1.Rule{
			{Name: new("readers"), Peers: []string{"orders"}, Scopes: []string{"read"}},
			{Name: new("shoppers"), User: &policyv1.UserCondition{Subjects: []string{"alice"}}},
		},
		User: &policyv1.User{Presence: policyv1.Presence_PRESENCE_OPTIONAL.Enum()},
	}
	trial := &policyv1.Auth{DryRun: new(true), Deny: []*policyv1.Rule{{Name: new("no-orders"), Peers: []string{"orders"}}}}
	at := func(place string, a *policyv1.Auth) policy.Layer {
		return policy.CodeAt(place, map[string]*policyv1.Policy{health: {Auth: a}})
	}
	table, err := policy.New(at("main.go:31", stated), at("main.go:77", trial))
	if err != nil {
		t.Fatal(err)
	}
	method, err := table.Method(health)
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := decide.Compile(method, server(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		call policy.Call
		want string
	}{
		"allowed": {
			policy.Call{Peer: j.peer("reports", ""), User: j.user("alice", "")},
			`/grpc.health.v1.Health/Check: allowed
  deny no-dev: claim env any "dev": does not hold (code main.go:31)
  peers: met (code main.go:31)
  user: met (code main.go:31)
  allow readers: peers orders; scopes read: does not hold (code main.go:31)
  allow shoppers: user; user subjects alice: holds (code main.go:31)
on trial: /grpc.health.v1.Health/Check: allowed
    deny no-orders: peers orders: does not hold (code main.go:77)
`,
		},
		"denied": {
			policy.Call{Peer: j.peer("orders", `{"env":"dev"}`)},
			`/grpc.health.v1.Health/Check: refused, POLICY_DENIED: denied by rule no-dev
  deny no-dev: claim env any "dev": holds (code main.go:31)
  decided: denied by rule no-dev (code main.go:31)
on trial: /grpc.health.v1.Health/Check: refused, POLICY_DENIED: denied by rule no-orders
    deny no-orders: peers orders: holds (code main.go:77)
    decided: denied by rule no-orders (code main.go:77)
`,
		},
		"nobody": {policy.Call{}, `/grpc.health.v1.Health/Check: refused, CREDENTIALS_MISSING: the caller has proven nothing
  decided: the caller has proven nothing (code main.go:31)
on trial: /grpc.health.v1.Health/Check: allowed
    deny no-orders: peers orders: does not hold (code main.go:77)
`},
	} {
		test.call.Method = health
		if got := compiled.Explain(t.Context(), &test.call).String(); got != test.want {
			t.Errorf("%s: got\n%swant\n%s", name, got, test.want)
		}
	}
}

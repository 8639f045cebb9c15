package istio_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/policy/istio"
)

// namespace is a typical namespace: 20 policies with 5 rules each, a few of which are about the method that is called.
// The rule that lets shop/web call stands last.
func namespace() string {
	var b strings.Builder
	for i := range 20 {
		action := "ALLOW"
		if i%4 == 0 {
			action = "DENY"
		}
		fmt.Fprintf(&b, "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n"+
			"metadata: {name: p%d, namespace: shop}\nspec:\n  action: %s\n  rules:\n", i, action)
		for j := range 5 {
			paths := fmt.Sprintf("/shop.service%d.v1.Service/Method%d", i, j)
			switch j {
			case 0:
				paths = "/shop.orders.v1.OrdersService/*"
			case 1:
				paths = "*/GetOrder"
			}
			caller := fmt.Sprintf("cluster.local/ns/team-%d/sa/caller-%d", i, j)
			if i == 19 && j == 1 {
				caller = "cluster.local/ns/shop/sa/web"
			}
			fmt.Fprintf(&b, "  - from:\n    - source: {principals: [%s, cluster.local/ns/ops/sa/admin-%d]}\n"+
				"    - source: {namespaces: [batch-%d]}\n"+
				"    to: [{operation: {paths: [%q], ports: [\"8443\"]}}]\n", caller, j, i, paths)
			if j == 2 {
				b.WriteString("    when: [{key: \"request.auth.claims[groups]\", values: [admins]}]\n")
			}
		}
	}
	return b.String()
}

// typical is the guard of a typical namespace for GetOrder, and a call that the last rule lets pass.
func typical(t testing.TB) (policy.MethodGuard, context.Context, policy.Call) {
	t.Helper()
	layers, _, err := istio.Parse(orders(), namespace())
	if err != nil {
		t.Fatal(err)
	}
	guards := compiled(t, layers, getOrder)
	if len(guards) != 1 {
		t.Fatalf("there are %d guards", len(guards))
	}
	ctx, made := readCall(t, "shop/web").context(t)
	if why := guards[0].Judge(ctx, made); why != nil {
		t.Fatalf("it is refused: %v", why)
	}
	return guards[0], ctx, made
}

func BenchmarkDecision(b *testing.B) {
	guard, ctx, made := typical(b)
	b.ReportAllocs()
	for b.Loop() {
		guard.Judge(ctx, made)
	}
}

// A decision allocates nothing, whatever the rules ask about.
func TestDecisionAllocatesNothing(t *testing.T) {
	guard, ctx, made := typical(t)
	if n := testing.AllocsPerRun(100, func() { guard.Judge(ctx, made) }); n > 0 {
		t.Errorf("a decision of a typical namespace allocates %v times", n)
	}
	for name, rule := range map[string]string{
		"principals":       `{from: [{source: {notPrincipals: ["*/sa/we", mesh.example/ns/*, "*.b/sa/web"]}}]}`,
		"namespaces":       `{from: [{source: {notNamespaces: ["d*v", x]}}]}`,
		"service accounts": `{from: [{source: {notServiceAccounts: [a, dev/b]}}]}`,
		"users":            `{from: [{source: {requestPrincipals: ["*/anna"]}}]}`,
		"addresses":        `{from: [{source: {ipBlocks: [10.1.2.3], remoteIpBlocks: [10.0.0.0/8]}}]}`,
		"hosts and ports":  `{to: [{operation: {hosts: ["*.SHOP:8443"], ports: ["1"], notPorts: ["2"]}}]}`,
		"headers":          `{when: [{key: "request.headers[x-tenant]", values: [a], notValues: [b*]}]}`,
		"the path":         `{when: [{key: "request.headers[:path]", values: [x]}]}`,
		"claims":           `{when: [{key: "request.auth.claims[groups]", values: [x, y*]}]}`,
		"scopes":           `{when: [{key: "request.auth.claims[scope]", values: [z]}]}`,
	} {
		layers, _, err := istio.Parse(orders(), head+"spec: {rules: ["+rule+"]}\n")
		if err != nil {
			t.Fatal(name, err)
		}
		c := readCall(t, `shop/web h=x-tenant:a user=x|anna c={"groups":["a","b"],"scope":"c\u0020d"}`)
		ctx, made := c.context(t)
		guards := compiled(t, layers, getOrder)
		if n := testing.AllocsPerRun(100, func() { guards[0].Judge(ctx, made) }); n > 0 {
			t.Errorf("%s: a decision allocates %v times", name, n)
		}
	}
}

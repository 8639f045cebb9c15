package istio_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	_ "google.golang.org/grpc/health/grpc_health_v1" // describes the health service

	_ "github.com/parley-rpc/parley/gen/shop/orders/v1" // describes getOrder
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/policy/istio"
	"github.com/parley-rpc/parley/principal"
)

const getOrder = "/shop.orders.v1.OrdersService/GetOrder"

// orders is the workload of the cases.
func orders() istio.Workload {
	return istio.Workload{
		Namespace: "shop", Labels: map[string]string{"app": "orders", "version": "v1"}, Services: []string{"orders"},
		Waypoints: []string{"waypoint"}, TrustDomainAliases: []string{"old.example"}, NoProxies: true,
	}
}

// TestCases asks for every call of testdata/cases.yaml whether it passes.
func TestCases(t *testing.T) {
	text, err := os.ReadFile("testdata/cases.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name, Says   string
		Policies     []map[string]any
		Pass, Refuse []string
	}
	if err := yaml.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 100 {
		t.Fatalf("there are %d cases", len(cases))
	}
	for _, test := range cases {
		t.Run(test.Name, func(t *testing.T) {
			if test.Says == "" || len(test.Pass)+len(test.Refuse) == 0 {
				t.Error("the case says neither why nor what")
			}
			var documents strings.Builder
			for i, p := range test.Policies {
				documents.WriteString(document(t, i, p))
			}
			if len(test.Policies) == 0 {
				documents.WriteString("{apiVersion: v1, kind: Namespace}\n")
			}
			layers, _, err := istio.Parse(orders(), documents.String())
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range test.Pass {
				if why := judge(t, layers, readCall(t, text)); why != nil {
					t.Errorf("%s is refused: %s %s (%v)", text, why.Why, why.Rule, why.Source)
				}
			}
			for _, text := range test.Refuse {
				if why := judge(t, layers, readCall(t, text)); why == nil {
					t.Errorf("%s passes", text)
				} else if why.Source.Kind != policy.KindFile || !strings.Contains(why.Source.Place, "mesh.yaml:") {
					t.Errorf("%s: the source is %v", text, why.Source)
				}
			}
		})
	}
}

// requestPrincipals are about sub, whatever claim the configuration takes for the user's name.
func TestUserIsNamedBySub(t *testing.T) {
	layers, _, err := istio.Parse(orders(), head+`spec: {rules: [{from: [{source: {requestPrincipals: ["x/anna"]}}]}]}`)
	if err != nil {
		t.Fatal(err)
	}
	named, other := readCall(t, "shop/web user=x|anna"), readCall(t, "shop/web user=x|bert")
	named.user, other.user = "anna@example.com", "anna"
	if why := judge(t, layers, named); why != nil {
		t.Errorf("the user whose sub is anna is refused: %v", why)
	}
	if judge(t, layers, other) == nil {
		t.Error("a user who is called anna passes, although sub is bert")
	}
}

// document writes the policy of a case as a document.
func document(t *testing.T, i int, p map[string]any) string {
	t.Helper()
	spec, whole := p["spec"]
	namespace, name := "shop", fmt.Sprintf("p%d", i)
	meta := map[string]any{}
	if ns, ok := p["namespace"].(string); ok {
		namespace, whole = ns, true
	}
	if dry, ok := p["dryRun"]; ok {
		meta["annotations"] = map[string]any{"istio.io/dry-run": dry}
		whole = true
	}
	if !whole {
		spec = p
	}
	meta["namespace"], meta["name"] = namespace, name
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": meta, "spec": spec,
	})
	if err != nil {
		t.Fatal(err)
	}
	return "---\n" + string(text)
}

// call is what a rule can ask of a call.
type call struct {
	id         string // "" for a caller that has proven nothing
	method     string
	from, to   netip.AddrPort
	headers    metadata.MD
	issuer     string // "" without a user
	user       string
	userClaims string // an object
}

// readCall reads a call as testdata/cases.yaml writes it.
func readCall(t testing.TB, text string) call {
	t.Helper()
	fields := strings.Fields(text)
	c := call{
		method:  getOrder,
		headers: metadata.MD{":authority": {"orders.shop:8443"}, "user-agent": {"grpc-go/1.85.0"}},
	}.withAddresses()
	switch caller := fields[0]; {
	case caller == "nobody":
	case strings.Contains(caller, "://"):
		c.id = caller
	default:
		namespace, account, _ := strings.Cut(caller, "/")
		c.id = "spiffe://mesh.example/ns/" + namespace + "/sa/" + account
	}
	claims := map[string]any{}
	for _, field := range fields[1:] {
		name, value, _ := strings.Cut(field, "=")
		switch name {
		case "m":
			c.method = value
		case "ip":
			if c.from = (netip.AddrPort{}); value != "" {
				c.from = netip.AddrPortFrom(netip.MustParseAddr(value), 40000)
			}
		case "to":
			if c.to = (netip.AddrPort{}); value != "" {
				c.to = netip.MustParseAddrPort(value)
			}
		case "host":
			c.headers[":authority"] = []string{value}
		case "h":
			header, content, _ := strings.Cut(value, ":")
			c.headers[header] = append(c.headers[header], content)
		case "user":
			c.issuer, c.user, _ = strings.Cut(value, "|")
		case "c":
			if err := json.Unmarshal([]byte(value), &claims); err != nil {
				t.Fatal(err)
			}
		default:
			t.Fatalf("%q is no part of a call", field)
		}
	}
	if c.issuer != "" {
		claims["iss"], claims["sub"] = c.issuer, c.user
		object, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		c.userClaims = string(object)
	}
	return c
}

// withAddresses is the call over a connection like any other.
func (c call) withAddresses() call {
	c.from, c.to = netip.MustParseAddrPort("10.1.2.3:40000"), netip.MustParseAddrPort("10.9.9.9:8443")
	return c
}

// context is the context of the call as gRPC makes it, and what a server has proven of it.
func (c call) context(t testing.TB) (context.Context, policy.Call) {
	t.Helper()
	p := &peer.Peer{Addr: net.Addr(&net.UnixAddr{}), LocalAddr: &net.UnixAddr{}}
	if c.from.IsValid() {
		p.Addr = net.TCPAddrFromAddrPort(c.from)
	}
	if c.to.IsValid() {
		p.LocalAddr = net.TCPAddrFromAddrPort(c.to)
	}
	ctx := metadata.NewIncomingContext(peer.NewContext(t.Context(), p), c.headers)
	made := policy.Call{Method: c.method}
	if c.id != "" {
		id, err := principal.ParseID(c.id)
		if err != nil {
			t.Fatal(err)
		}
		made.Peer = &principal.Peer{ID: id}
	}
	if c.issuer != "" {
		claims, err := principal.ParseClaims([]byte(c.userClaims))
		if err != nil {
			t.Fatal(err)
		}
		made.User = &principal.User{Issuer: c.issuer, Subject: c.user, Claims: claims}
	}
	return ctx, made
}

// judge asks the guards of the layers, and compares what they explain.
func judge(t testing.TB, layers []policy.Layer, c call) *policy.Objection {
	t.Helper()
	return judgeBy(t, compiled(t, layers, c.method), c)
}

func judgeBy(t testing.TB, guards []policy.MethodGuard, c call) *policy.Objection {
	t.Helper()
	ctx, made := c.context(t)
	for _, guard := range guards {
		why := guard.Judge(ctx, made)
		explained, _ := guard.Explain(ctx, made)
		if again := guard.Judge(ctx, made); explained != why || again != why {
			t.Fatalf("it is judged as %v, then as %v, and explained as %v", why, again, explained)
		}
		if why != nil {
			return why
		}
	}
	return nil
}

// compiled are the guards of layers for a method.
func compiled(t testing.TB, layers []policy.Layer, method string) []policy.MethodGuard {
	t.Helper()
	var guards []policy.MethodGuard
	for _, g := range guardsOf(t, layers) {
		m, err := g.Compile(method, meshDomain(t))
		if err != nil {
			t.Fatal(err)
		}
		if m != nil {
			guards = append(guards, m)
		}
	}
	return guards
}

// guardsOf are the guards that layers state for each method.
func guardsOf(t testing.TB, layers []policy.Layer) []policy.Guard {
	t.Helper()
	table, err := policy.New(layers...)
	if err != nil {
		t.Fatal(err)
	}
	m, err := table.Method(getOrder)
	if err != nil || !m.Described {
		t.Fatal(m, err)
	}
	return m.Auth.Guards
}

func meshDomain(t testing.TB) principal.TrustDomain {
	t.Helper()
	d, err := principal.ParseTrustDomain("mesh.example")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

package istio_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	securityv1 "istio.io/api/security/v1beta1"
	typev1 "istio.io/api/type/v1beta1"

	"github.com/parley-rpc/parley/internal/rounds"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/policy/istio"
)

// TestReference holds random calls against random policies: what is compiled decides as the slow reference does. With
// TEST_ROUNDS=100 it is a million calls.
func TestReference(t *testing.T) {
	const callsEach = 100
	r := random{rand.New(rand.NewPCG(3, 4))}
	passed, refused, known := 0, 0, expressions{}
	for n := range rounds.Of(100) {
		var documents strings.Builder
		workload := orders()
		workload.OpenHealth = n%2 == 0
		ref := reference{
			openHealth:  workload.OpenHealth,
			domains:     []string{"mesh.example", "old.example"},
			expressions: known,
		}
		for i := range r.IntN(5) {
			p := referencePolicy{r.pick("shop", "shop", "istio-system"), r.policy()}
			if p.namespace == "shop" && r.IntN(4) == 0 {
				p.spec.TargetRefs = []*typev1.PolicyTargetReference{{Kind: "Service", Name: "orders"}}
				ref.points[1] = append(ref.points[1], p)
			} else {
				ref.points[0] = append(ref.points[0], p)
			}
			spec, err := protojson.Marshal(p.spec)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&documents, "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n"+
				"metadata: {name: p%d, namespace: %s}\nspec: %s\n", i, p.namespace, spec)
		}
		documents.WriteString("---\n{apiVersion: v1, kind: Namespace}\n")
		layers, _, err := istio.Parse(workload, documents.String())
		if err != nil {
			t.Fatalf("%v\n%s", err, documents.String())
		}
		guards := map[string][]policy.MethodGuard{}
		for range callsEach {
			c := r.call(t)
			if _, ok := guards[c.method]; !ok {
				guards[c.method] = compiled(t, layers, c.method)
			}
			want := ref.allows(c)
			if got := judgeBy(t, guards[c.method], c) == nil; got != want {
				t.Fatalf("%+v passes: %v, to the reference: %v\n%s", c, got, want, documents.String())
			}
			if want {
				passed++
			} else {
				refused++
			}
		}
	}
	if passed < refused/10 || refused < passed/10 {
		t.Errorf("%d calls passed and %d were refused: the cases are lopsided", passed, refused)
	}
}

// random makes policies and calls of a few words, so that they often meet.
type random struct{ *rand.Rand }

func (r random) pick(words ...string) string { return words[r.IntN(len(words))] }

// some returns up to three of the words, and often none.
func (r random) some(words ...string) []string {
	var list []string
	for range max(0, r.IntN(6)-2) {
		list = append(list, r.pick(words...))
	}
	return list
}

func (r random) policy() *securityv1.AuthorizationPolicy {
	p := &securityv1.AuthorizationPolicy{Action: securityv1.AuthorizationPolicy_Action(r.Int32N(3))}
	rules := r.IntN(4)
	if p.GetAction() == securityv1.AuthorizationPolicy_DENY {
		rules = r.IntN(3) + 1
	}
	for range rules {
		rule := &securityv1.Rule{}
		for range r.IntN(3) {
			if s := r.source(); s != nil {
				rule.From = append(rule.From, &securityv1.Rule_From{Source: s})
			}
		}
		for range r.IntN(3) {
			if o := r.operation(); o != nil {
				rule.To = append(rule.To, &securityv1.Rule_To{Operation: o})
			}
		}
		for range r.IntN(3) {
			if w := r.condition(); w != nil {
				rule.When = append(rule.When, w)
			}
		}
		p.Rules = append(p.Rules, rule)
	}
	return p
}

func (r random) principals() []string {
	return r.some(
		"mesh.example/ns/shop/sa/web", "cluster.local/ns/dev/sa/web", "old.example/ns/shop/sa/w.b", "*/sa/web", "*", "*w.b",
		"evil.example/ns/shop/sa/web", "mesh.example/ns/shop/*", "*.example/ns/dev/sa/web", "mesh.*/ns/shop/sa/web",
		"*/ns/shop/sa/web", "**", "*x*", "*//mesh.example/ns/shop/sa/web",
	)
}

func (r random) namespaces() []string { return r.some("shop", "dev", "s*", "*p", "*", "d*v") }

func (r random) domains() []string {
	return r.some("mesh.example", "old.example", "*", "*.example", "evil*", "cluster.local")
}

func (r random) accounts() []string { return r.some("web", "dev/web", "shop/w.b", "w.b") }

func (r random) users() []string {
	return r.some("*", "https://login.example/anna", "https://login.example/*", "https://login.example/an*", "*/anna",
		"*.example/bert", "*na", "https*", "x/anna")
}

func (r random) blocks() []string {
	return r.some("10.1.2.3", "10.1.0.0/16", "10.0.0.0/8", "fd00::/8", "fd00::1", "10.2.3.4/16")
}

func (r random) source() *securityv1.Source {
	s := &securityv1.Source{
		RequestPrincipals: r.users(), NotRequestPrincipals: r.users(), IpBlocks: r.blocks(), NotIpBlocks: r.blocks(),
		RemoteIpBlocks: r.blocks(), NotRemoteIpBlocks: r.blocks(), TrustDomains: r.domains(), NotTrustDomains: r.domains(),
	}
	for _, list := range []*[]string{
		&s.TrustDomains, &s.NotTrustDomains,
		&s.RequestPrincipals, &s.NotRequestPrincipals, &s.IpBlocks, &s.NotIpBlocks, &s.RemoteIpBlocks, &s.NotRemoteIpBlocks,
	} {
		if r.IntN(3) > 0 {
			*list = nil
		}
	}
	switch r.IntN(3) {
	case 0:
		s.ServiceAccounts, s.NotServiceAccounts = r.accounts(), r.accounts()
	case 1:
		s.Principals, s.NotPrincipals = r.principals(), r.principals()
	default:
		s.Principals, s.Namespaces, s.NotNamespaces = r.principals(), r.namespaces(), r.namespaces()
	}
	if protojson.Format(s) == "{}" {
		return nil
	}
	return s
}

func (r random) operation() *securityv1.Operation {
	o := &securityv1.Operation{
		Hosts: r.hosts(), NotHosts: r.hosts(), Paths: r.paths(), NotPaths: r.paths(),
		Methods: r.methods(), NotMethods: r.methods(), Ports: r.ports(), NotPorts: r.ports(),
	}
	for _, list := range []*[]string{
		&o.Hosts, &o.NotHosts, &o.NotPaths, &o.Methods, &o.NotMethods, &o.Ports, &o.NotPorts,
	} {
		if r.IntN(3) > 0 {
			*list = nil
		}
	}
	if protojson.Format(o) == "{}" {
		return nil
	}
	return o
}

func (r random) hosts() []string {
	return r.some("orders.shop:8443", "Orders.shop", "*.SHOP", "orders.*", "*", "payments.shop")
}

func (r random) paths() []string {
	return r.some(
		getOrder, "/shop.orders.v1.OrdersService/*", "*/GetOrder", "*", "/shop.*", "/a/b", "/grpc.health.v1.Health/*",
		"/{*}/GetOrder", "/{**}", "/{**}/GetOrder", "/shop.orders.v1.OrdersService/{*}",
		"/shop.orders.v1.OrdersService/{**}",
	)
}

func (r random) methods() []string { return r.some("POST", "GET", "P*", "*T", "*", "post") }

func (r random) ports() []string { return r.some("8443", "9000", "0") }

func (r random) condition() *securityv1.Condition {
	w := &securityv1.Condition{Key: r.pick(
		"source.ip", "remote.ip", "source.namespace", "source.principal", "source.trustDomain",
		"source.serviceAccount", "request.auth.principal", "request.auth.audiences", "request.auth.presenter",
		"request.auth.claims[groups]", "request.auth.claims[realm][roles]", "request.auth.claims[scope]",
		"request.headers[X-Tenant]", "request.headers[:path]", "destination.ip", "destination.port")}
	of := r.claims
	switch {
	case strings.HasSuffix(w.GetKey(), ".ip"):
		of = r.blocks
	case w.GetKey() == "source.namespace":
		of = r.namespaces
	case w.GetKey() == "source.trustDomain":
		of = r.domains
	case w.GetKey() == "source.principal":
		of = r.principals
	case w.GetKey() == "source.serviceAccount":
		of = r.accounts
	case w.GetKey() == "request.auth.principal":
		of = r.users
	case w.GetKey() == "destination.port":
		of = r.ports
	case w.GetKey() == "request.headers[:path]":
		of = func() []string { return r.some(getOrder, "/shop.*", "*") }
	}
	w.Values, w.NotValues = of(), of()
	if len(w.GetValues())+len(w.GetNotValues()) == 0 {
		return nil
	}
	return w
}

func (r random) claims() []string { return r.some("admin", "ad*", "*min", "*", "dev", "a,b", "orders") }

func (r random) call(t *testing.T) call {
	t.Helper()
	c := call{
		id: r.pick(
			"", "spiffe://mesh.example/ns/shop/sa/web", "spiffe://mesh.example/ns/dev/sa/web",
			"spiffe://old.example/ns/shop/sa/web", "spiffe://evil.example/ns/shop/sa/web",
			"spiffe://mesh.example/ns/shop/sa/w.b", "spiffe://mesh.example/ns/shop/sa/wab", "spiffe://mesh.example/orders",
			"spiffe://mesh.example/ns/shop/x/sa/web/y", "spiffe://mesh.example/ns/ns/shop/sa/web",
		),
		method: r.pick(
			getOrder, getOrder, "/shop.orders.v1.OrdersService/PlaceOrder", "/a/b", "/grpc.health.v1.Health/Watch",
			getOrder+"?x", "/a/b#c",
		),
		headers: metadata.MD{},
	}
	if text := r.pick("", "10.1.2.3", "10.2.0.1", "192.0.2.1", "fd00::1", "::1"); text != "" {
		c.from = netip.AddrPortFrom(netip.MustParseAddr(text), 40000)
	}
	if text := r.pick("", "10.1.9.9:8443", "10.1.9.9:9000", "[fd00::1]:8443"); text != "" {
		c.to = netip.MustParseAddrPort(text)
	}
	if host := r.pick("", "orders.shop:8443", "ORDERS.shop", "payments.shop"); host != "" {
		c.headers[":authority"] = []string{host}
	}
	if tenants := r.some("admin", "dev", "a", "b", ""); len(tenants) > 0 {
		c.headers["x-tenant"] = tenants
	}
	if r.IntN(2) == 0 {
		c.issuer, c.user = r.pick("https://login.example", "https://evil.example", "x"), r.pick("anna", "bert", "annette")
		claims := map[string]any{"iss": c.issuer, "sub": c.user}
		for name, value := range map[string]any{
			"aud": r.claim(), "azp": r.claim(), "groups": r.claim(),
			"scope": r.pick("admin dev", " dev  admin", "a,b admin", "  ", ""), "realm": map[string]any{"roles": r.claim()},
		} {
			if r.IntN(2) == 0 {
				claims[name] = value
			}
		}
		object, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		c.userClaims = string(object)
	}
	return c
}

func (r random) claim() any {
	switch r.IntN(4) {
	case 0:
		return r.pick("admin", "dev", "orders", "", "a\nb")
	case 1:
		return true
	default:
		return append([]string{}, r.some("admin", "dev", "orders", "a,b")...)
	}
}

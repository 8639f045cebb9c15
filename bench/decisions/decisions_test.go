package decisions_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/rego"
	"google.golang.org/grpc"
	"google.golang.org/grpc/authz"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	ordersv1 "github.com/parley-rpc/parley/gen/shop/orders/v1"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/policy/istio"
	"github.com/parley-rpc/parley/principal"
)

// A typical namespace: 20 policies with 5 rules each, every fourth of which denies. Each rule names two callers and one
// path: two rules of a policy are about the method that is called, and the last one of all lets shop/web call it.
const (
	policies = 20
	rules    = 5
	getOrder = "/shop.orders.v1.OrdersService/GetOrder"
	caller   = "spiffe://mesh.example/ns/shop/sa/web"
)

// stated is one rule.
type stated struct {
	deny    bool
	name    string
	callers []string // without their scheme
	path    string
}

func namespace() []stated {
	var all []stated
	for i := range policies {
		for j := range rules {
			r := stated{deny: i%4 == 0, name: fmt.Sprintf("p%d-r%d", i, j)}
			switch j {
			case 0:
				r.path = "/shop.orders.v1.OrdersService/*"
			case 1:
				r.path = "*/GetOrder"
			default:
				r.path = fmt.Sprintf("/shop.service%d.v1.Service/Method%d", i, j)
			}
			first := fmt.Sprintf("mesh.example/ns/team-%d/sa/caller-%d", i, j)
			if i == policies-1 && j == 1 {
				first = strings.TrimPrefix(caller, principal.Scheme)
			}
			r.callers = []string{first, fmt.Sprintf("mesh.example/ns/ops/sa/admin-%d", j)}
			all = append(all, r)
		}
	}
	return all
}

// parley is the namespace as Istio's YAML, compiled for the method.
func parley(t testing.TB) (policy.MethodGuard, policy.Call) {
	t.Helper()
	var b strings.Builder
	for i, r := range namespace() {
		if i%rules == 0 {
			action := map[bool]string{false: "ALLOW", true: "DENY"}[r.deny]
			fmt.Fprintf(&b, "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n"+
				"metadata: {name: p%d, namespace: shop}\nspec:\n  action: %s\n  rules:\n", i/rules, action)
		}
		fmt.Fprintf(&b, "  - from: [{source: {principals: [%s]}}]\n    to: [{operation: {paths: [%q]}}]\n",
			strings.Join(r.callers, ", "), r.path)
	}
	file := filepath.Join(t.TempDir(), "mesh.yaml")
	must(t, os.WriteFile(file, []byte(b.String()), 0o600))
	files := istio.Dir(file, istio.Workload{Namespace: "shop"})
	content, err := files.Read()
	must(t, err)
	layers, _, err := files.Parse(content)
	must(t, err)
	table, err := policy.New(layers...)
	must(t, err)
	m, err := table.Method(getOrder)
	must(t, err)
	domain, err := principal.ParseTrustDomain("mesh.example")
	must(t, err)
	guard, err := m.Auth.Guards[0].Compile(getOrder, domain)
	must(t, err)
	id, err := principal.ParseID(caller)
	must(t, err)
	return guard, policy.Call{Method: getOrder, Peer: &principal.Peer{ID: id}}
}

// grpcAuthz is the namespace as a policy of grpc-go's authz package, and a context of a call in a running server: the
// package asks the connection who calls.
func grpcAuthz(t testing.TB) (decide func() error) {
	t.Helper()
	type rule struct {
		Name    string         `json:"name"`
		Source  map[string]any `json:"source"`
		Request map[string]any `json:"request"`
	}
	var deny, allow []rule
	for _, r := range namespace() {
		var principals []string
		for _, c := range r.callers {
			principals = append(principals, principal.Scheme+c)
		}
		one := rule{r.name, map[string]any{"principals": principals}, map[string]any{"paths": []string{r.path}}}
		if r.deny {
			deny = append(deny, one)
		} else {
			allow = append(allow, one)
		}
	}
	text, err := json.Marshal(map[string]any{"name": "namespace", "deny_rules": deny, "allow_rules": allow})
	must(t, err)
	interceptor, err := authz.NewStatic(string(text))
	must(t, err)
	ctx := serverContext(t)
	info := &grpc.UnaryServerInfo{FullMethod: getOrder}
	handler := func(context.Context, any) (any, error) { return nil, nil }
	return func() error {
		_, err := interceptor.UnaryInterceptor(ctx, nil, info, handler)
		return err
	}
}

// opa is the namespace as data of a Rego policy, prepared.
func opa(t testing.TB) (decide func() bool) {
	t.Helper()
	type entry struct {
		Callers []string `json:"callers"`
		Path    string   `json:"path"`
	}
	rules := map[string][]entry{"deny": {}, "allow": {}}
	for _, r := range namespace() {
		list := "allow"
		if r.deny {
			list = "deny"
		}
		one := entry{Path: r.path}
		for _, c := range r.callers {
			one.Callers = append(one.Callers, principal.Scheme+c)
		}
		rules[list] = append(rules[list], one)
	}
	text, err := json.Marshal(rules)
	must(t, err)
	query, err := rego.New(rego.Query("data.mesh.allowed"), rego.Module("mesh.rego", `package mesh

rules := `+string(text)+`

matches(path) if path == input.path
matches(path) if { endswith(path, "*"); startswith(input.path, trim_suffix(path, "*")) }
matches(path) if { startswith(path, "*"); endswith(input.path, trim_prefix(path, "*")) }

fits(rule) if { input.caller in rule.callers; matches(rule.path) }

denied if { some rule in rules.deny; fits(rule) }

default allowed := false
allowed if { not denied; some rule in rules.allow; fits(rule) }
`)).PrepareForEval(t.Context())
	must(t, err)
	ctx, input := t.Context(), map[string]any{"caller": caller, "path": getOrder}
	return func() bool {
		set, err := query.Eval(ctx, rego.EvalInput(input))
		return err == nil && set.Allowed()
	}
}

// The three of them decide alike, and ours allocates nothing.
func TestDecisions(t *testing.T) {
	guard, call := parley(t)
	if why := guard.Judge(t.Context(), call); why != nil {
		t.Errorf("Parley refuses: %v", why)
	}
	other := call
	id, err := principal.ParseID("spiffe://mesh.example/ns/shop/sa/cart")
	must(t, err)
	other.Peer = &principal.Peer{ID: id}
	if guard.Judge(t.Context(), other) == nil {
		t.Error("Parley lets another caller pass")
	}
	if err := grpcAuthz(t)(); err != nil {
		t.Errorf("grpc's authz refuses: %v", err)
	}
	if !opa(t)() {
		t.Error("OPA refuses")
	}
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() { guard.Judge(ctx, call) }); n != 0 {
		t.Errorf("a decision allocates %v times", n)
	}
}

func BenchmarkDecision(b *testing.B) {
	b.Run("Parley", func(b *testing.B) {
		guard, call := parley(b)
		ctx := b.Context()
		b.ReportAllocs()
		for b.Loop() {
			if guard.Judge(ctx, call) != nil {
				b.Fatal("refused")
			}
		}
	})
	b.Run("Authz", func(b *testing.B) {
		decide := grpcAuthz(b)
		b.ReportAllocs()
		for b.Loop() {
			if decide() != nil {
				b.Fatal("refused")
			}
		}
	})
	b.Run("OPA", func(b *testing.B) {
		decide := opa(b)
		b.ReportAllocs()
		for b.Loop() {
			if !decide() {
				b.Fatal("refused")
			}
		}
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// holding is a handler that gives its context away, and holds its call.
type holding struct {
	ordersv1.UnimplementedOrdersServiceServer
	got  chan context.Context
	done chan struct{}
}

func (h *holding) GetOrder(ctx context.Context, _ *ordersv1.GetOrderRequest) (*ordersv1.GetOrderResponse, error) {
	h.got <- ctx
	<-h.done
	return nil, status.Error(codes.Unavailable, "done")
}

// serverContext is the context of a call of GetOrder by the caller, over mutual TLS.
func serverContext(t testing.TB) context.Context {
	t.Helper()
	server, client := certificate(t, "spiffe://mesh.example/ns/shop/sa/orders"), certificate(t, caller)
	h := &holding{got: make(chan context.Context, 1), done: make(chan struct{})}
	s := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{server}, ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS13,
	})))
	ordersv1.RegisterOrdersServiceServer(s, h)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0") // authz wants addresses with ports
	must(t, err)
	go func() { _ = s.Serve(listener) }() // ends with the server
	creds := credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{client}, MinVersion: tls.VersionTLS13,
		InsecureSkipVerify: true, // only the server's side is measured
	})
	cc, err := grpc.NewClient("passthrough:///"+listener.Addr().String(), grpc.WithTransportCredentials(creds))
	must(t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = ordersv1.NewOrdersServiceClient(cc).GetOrder(context.Background(), &ordersv1.GetOrderRequest{})
	}()
	t.Cleanup(func() {
		close(h.done)
		<-ended
		_ = cc.Close()
		s.Stop()
	})
	return <-h.got
}

func certificate(t testing.TB, id string) tls.Certificate {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	uri, err := url.Parse(id)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), URIs: []*url.URL{uri},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	must(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}
}

package istio_test

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	ordersv1 "github.com/parley-rpc/parley/gen/shop/orders/v1"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/issuer"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/policy/istio"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/profile"
)

const (
	movedCharge = "/shop.payments.v2.PaymentsService/Charge"
	clusterName = "https://kubernetes.default.svc.cluster.local"
)

// The payments of the move have a .proto without options of Parley's, as those of a mesh have. That of package shop has
// peers of its own.
var describePayments = sync.OnceValue(func() error {
	file := &descriptorpb.FileDescriptorProto{
		Name: new("shop/payments/v2/payments.proto"), Package: new("shop.payments.v2"),
		Syntax: new("proto3"), Dependency: []string{paymentsv1.File_shop_payments_v1_payments_proto.Path()},
		Service: []*descriptorpb.ServiceDescriptorProto{{
			Name: new("PaymentsService"),
			Method: []*descriptorpb.MethodDescriptorProto{{
				Name: new("Charge"), InputType: new(".shop.payments.v1.ChargeRequest"),
				OutputType: new(".shop.payments.v1.ChargeResponse"),
			}},
		}},
	}
	described, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
	if err != nil {
		return err
	}
	return protoregistry.GlobalFiles.RegisterFile(described)
})

// move is the namespace of docs/from-istio.md without its mesh.
type move struct {
	t       *testing.T
	n       *frameworktest.Network
	blocks  []string
	dir     string
	login   login // of users, and of the cluster
	issuer  *issuer.Issuer
	charged string // who asked for the last charge, and for whom
	seen    string // the user's token, by the handler of orders
}

// newMove writes the files that the page shows, and starts an issuer with its template.
func newMove(t *testing.T) *move {
	t.Helper()
	if err := describePayments(); err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile("../../docs/from-istio.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(document), "\n## A move, file by file\n")
	section, _, _ = strings.Cut(section, "\n## ")
	m := &move{t: t, n: frameworktest.NewNetwork(t), dir: t.TempDir(), login: newLogin(t)}
	for _, b := range regexp.MustCompile("(?s)```\\w+\n(.*?)```").FindAllStringSubmatch(section, -1) {
		m.blocks = append(m.blocks, b[1])
	}
	m.write("mesh/shop.yaml", m.block("apiVersion: security.istio.io/v1\nkind: PeerAuthentication"))

	_, signer, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	m.issuer = issuer.New("https://id.shop.example", issuer.NewKeys(signer), issuer.NewStatic(),
		issuer.WithIdentities("shop.example", issuer.Bootstrap{
			Name: clusterName, Keys: keyset.Static([]byte(m.login.jwks)), Profile: profile.Of(profile.Kubernetes),
			Principals: &principal.Map{Template: strings.TrimSpace(m.block("spiffe://"))},
		}))
	t.Cleanup(func() { _ = m.issuer.Close() })
	if err := m.issuer.Check(); err != nil {
		t.Fatal(err)
	}
	return m
}

// block returns the snippet of the page that has this beginning, or this line.
func (m *move) block(has string) string {
	m.t.Helper()
	for _, b := range m.blocks {
		if strings.HasPrefix(b, has) || strings.Contains(b, "\n"+has) {
			return b
		}
	}
	m.t.Fatalf("the page shows no %q", has)
	return ""
}

func (m *move) write(name, text string) string {
	m.t.Helper()
	path := filepath.Join(m.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
	return path
}

// configuration writes the configuration of a service, with the paths and the targets of the test.
func (m *move) configuration(account, text string) string {
	m.t.Helper()
	token := m.write(account+".token", m.login.token(m.t, "", "", map[string]any{
		"iss": clusterName, "sub": "system:serviceaccount:shop:" + account, "aud": []string{"https://id.shop.example"},
		"iat": 0, "nbf": 0, "jti": account,
		"kubernetes.io": map[string]any{"namespace": "shop", "serviceaccount": map[string]any{"name": account, "uid": "1"}},
	}))
	return m.write(account+".yaml", strings.NewReplacer(
		"/var/run/secrets/parley/token", token,
		"/etc/mesh", filepath.Join(m.dir, "mesh"),
		"dns:///payments-headless.shop.svc.cluster.local:8443", "passthrough:///server-1:443",
	).Replace(text))
}

// options are those of each program in the test.
func (m *move) options() []framework.Option {
	return []framework.Option{
		framework.WithEnviron(nil), framework.WithDialer(m.n.Dial), framework.WithRoundTripper(m),
		framework.WithLogger(slog.New(slog.DiscardHandler)),
	}
}

// RoundTrip answers for the issuer and for the login of the users.
func (m *move) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != "id.shop.example" {
		return m.login.RoundTrip(r)
	}
	answer := httptest.NewRecorder()
	m.issuer.ServeHTTP(answer, r)
	return answer.Result(), nil
}

// startPayments serves the Charge of the page.
func (m *move) startPayments() {
	m.t.Helper()
	file := m.configuration("payments", m.block("servers:\n  ns/shop/sa/payments"))
	app := framework.New("ns/shop/sa/payments", append(m.options(),
		framework.WithConfigFile(file),
		framework.WithPolicyFormat("istio", istio.For(istio.Workload{
			Namespace: "shop", Labels: map[string]string{"app": "payments"}, Services: []string{"payments"},
		})))...)
	m.t.Cleanup(func() { _ = app.Close() })
	charge := func(
		_ any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor,
	) (any, error) {
		in := new(paymentsv1.ChargeRequest)
		if err := decode(in); err != nil {
			return nil, err
		}
		return intercept(ctx, in, &grpc.UnaryServerInfo{FullMethod: movedCharge}, m.charge)
	}
	m.n.Server(app).RegisterService(&grpc.ServiceDesc{
		ServiceName: "shop.payments.v2.PaymentsService", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Charge", Handler: charge}},
	}, m)
	m.n.Run(app)
}

func (m *move) charge(ctx context.Context, _ any) (any, error) {
	peer, _ := principal.PeerFromContext(ctx)
	user, _ := principal.UserFromContext(ctx)
	m.charged = peer.ID.String() + " for " + user.Subject
	return &paymentsv1.ChargeResponse{}, nil
}

// newOrders is the program of the page.
func (m *move) newOrders() *framework.App {
	m.t.Helper()
	file := m.configuration("orders", m.block("clients:\n  payments:"))

	options := []framework.Option{
		framework.WithConfigFile(file),
		framework.WithPolicyFormat("istio", istio.For(istio.Workload{
			Namespace: "shop",
			Labels:    map[string]string{"app": "orders", "version": "v1"}, // all labels of the pod
			Services:  []string{"orders"},
		})),
	}
	options = append(options, m.options()...)

	app := framework.New("ns/shop/sa/orders", options...)
	forward := auth.Forward("parley-user-token")
	payments := app.Client("payments",
		framework.WithCallInterceptors(forward.UnaryClientInterceptor, forward.StreamClientInterceptor))

	ordersv1.RegisterOrdersServiceServer(m.n.Server(app), movedOrders{m: m, payments: payments})
	m.t.Cleanup(func() { _ = app.Close() })
	return app
}

type movedOrders struct {
	ordersv1.UnimplementedOrdersServiceServer
	m        *move
	payments *framework.Client
}

func (o movedOrders) PlaceOrder(
	ctx context.Context, _ *ordersv1.PlaceOrderRequest,
) (*ordersv1.PlaceOrderResponse, error) {
	o.m.seen = strings.Join(metadata.ValueFromIncomingContext(ctx, "authorization"), ",")
	err := o.payments.Invoke(ctx, movedCharge, &paymentsv1.ChargeRequest{}, new(paymentsv1.ChargeResponse))
	return &ordersv1.PlaceOrderResponse{}, err
}

// callers are clients of orders, as the pods of a service account.
func (m *move) callers(account string) ordersv1.OrdersServiceClient {
	m.t.Helper()
	identity, _, _ := strings.Cut(m.block("clients:\n  payments:"), "clients:")
	file := m.configuration(account, identity+
		"clients: {orders: {target: \"passthrough:///server-2:443\", peers: [ns/shop/sa/orders]}}\n")
	app := framework.New("ns/shop/sa/"+account, append(m.options(), framework.WithConfigFile(file))...)
	m.t.Cleanup(func() { _ = app.Close() })
	return ordersv1.NewOrdersServiceClient(app.Client("orders"))
}

// TestDocumentedMove runs the move of docs/from-istio.md: its files, word for word, its program, and its description.
func TestDocumentedMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMove(t)
		m.startPayments()
		orders := m.newOrders()
		if err := orders.Check(); err != nil {
			t.Fatal(err)
		}
		m.describe(orders)
		m.n.Run(orders)

		web, billing := m.callers("web"), m.callers("billing")
		user := "Bearer " + m.login.token(t, "JWT", "", map[string]any{
			"iss": "https://login.shop.example", "aud": "shop", "iat": 0,
		})
		ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", user)
		place := func(ctx context.Context, by ordersv1.OrdersServiceClient, want codes.Code, charged string) {
			t.Helper()
			m.charged = ""
			_, err := by.PlaceOrder(ctx, &ordersv1.PlaceOrderRequest{})
			if status.Code(err) != want || m.charged != charged {
				t.Errorf("got %v, charged by %q; want %v, %q", err, m.charged, want, charged)
			}
		}
		place(ctx, web, codes.OK, "spiffe://shop.example/ns/shop/sa/orders for anna")
		if m.seen != user {
			t.Errorf("with forwardOriginalToken the handler sees %q", m.seen)
		}
		place(t.Context(), web, codes.PermissionDenied, "") // payments asks for a user
		place(ctx, billing, codes.PermissionDenied, "")
		if _, err := web.GetOrder(ctx, &ordersv1.GetOrderRequest{}); status.Code(err) != codes.PermissionDenied {
			t.Errorf("a method that no rule allows: %v", err)
		}
	})
}

// TestDocumentedTrustFiles enrolls orders, and looks for the files that the page names.
func TestDocumentedTrustFiles(t *testing.T) {
	document, err := os.ReadFile("../../docs/from-istio.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "state")
	domain, err := principal.ParseTrustDomain("shop.example")
	if err != nil {
		t.Fatal(err)
	}
	orders, err := domain.ID("ns/shop/sa/orders")
	if err != nil {
		t.Fatal(err)
	}
	id := auth.TrustDir(dir, orders, auth.WithEnroll())
	t.Cleanup(func() { _ = id.Close() })
	if err := id.Check(); err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`((?:trust|keys)/shop\\.example/.*?)`").FindAllStringSubmatch(string(document), -1)
	if len(named) != 2 {
		t.Fatalf("the page names the files %q", named)
	}
	for _, name := range named {
		path := filepath.Join(dir, strings.ReplaceAll(name[1], "<thumbprint>", "*"))
		if found, err := filepath.Glob(path); err != nil || len(found) != 1 {
			t.Errorf("%s: %v, %v", path, found, err)
		}
	}
}

// describe looks for the lines that the page shows, in their order. Blanks align columns, and do not count.
func (m *move) describe(app *framework.App) {
	m.t.Helper()
	var text strings.Builder
	if err := app.Describe(&text); err != nil {
		m.t.Fatal(err)
	}
	lines := func(text string) []string {
		var found []string
		for line := range strings.Lines(strings.ReplaceAll(text, filepath.Join(m.dir, "mesh"), "/etc/mesh")) {
			found = append(found, strings.Join(strings.Fields(line), " "))
		}
		return found
	}
	described := lines(text.String())
	for _, line := range lines(m.block("policies from istio")) {
		n := slices.Index(described, line)
		if n < 0 {
			m.t.Fatalf("Describe does not say %q here:\n%s", line, text.String())
		}
		described = described[n+1:]
	}
}

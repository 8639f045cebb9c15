package engines

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/principal"
)

// clusterIssuer is what the API server calls itself in the tokens of service accounts.
const clusterIssuer = "https://127.0.0.1"

// A pod's projected token is made by the API server's TokenRequest, which the kubelet asks for it. Payments takes it as
// that of a workload, with keys that it fetches from the API server, by its CA and with a token. The configurations are
// those of docs/providers.md.
func TestProjectedTokens(t *testing.T) {
	c := startKubernetes(t)
	c.post(t, "/api/v1/namespaces/shop/serviceaccounts", map[string]any{"metadata": map[string]string{"name": "orders"}})
	s := startShop(t, c)
	for name, client := range map[string]paymentsv1.PaymentsServiceClient{
		"a workload without Parley": s.plain(t, c.projected(t, "payments")),
		"a workload of Parley":      s.orders(t, c.projected(t, "payments")),
	} {
		s.bank.peer = principal.Peer{}
		_, err := client.Charge(t.Context(), &paymentsv1.ChargeRequest{})
		if err != nil || s.bank.peer.ID.String() != "spiffe://shop.example/orders" {
			t.Errorf("%s: payments saw %s, %v", name, s.bank.peer.ID, err)
		}
	}
	client := s.plain(t, c.projected(t, clusterIssuer))
	if _, err := client.Charge(t.Context(), &paymentsv1.ChargeRequest{}); status.Code(err) != codes.Unauthenticated {
		t.Errorf("with the token for the API server itself: %v", err)
	}
}

// projected is what the kubelet puts into the pods of the service account orders.
func (c *cluster) projected(t *testing.T, audience string) string {
	t.Helper()
	var answer struct{ Status struct{ Token string } }
	text := c.post(t, "/api/v1/namespaces/shop/serviceaccounts/orders/token", map[string]any{
		"spec": map[string]any{"audiences": []string{audience}, "expirationSeconds": 3600},
	})
	if err := json.Unmarshal(text, &answer); err != nil || answer.Status.Token == "" {
		t.Fatalf("TokenRequest: %s %v", text, err)
	}
	return answer.Status.Token
}

// post makes an object.
func (c *cluster) post(t *testing.T, path string, object any) []byte {
	t.Helper()
	body, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+c.addr+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := c.asking(t, time.Minute).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusCreated {
		t.Fatalf("POST %s: %d %s %v", path, response.StatusCode, text, err)
	}
	return text
}

// bank remembers whom the last call was from.
type bank struct {
	paymentsv1.UnimplementedPaymentsServiceServer

	peer principal.Peer
}

func (b *bank) Charge(ctx context.Context, _ *paymentsv1.ChargeRequest) (*paymentsv1.ChargeResponse, error) {
	b.peer, _ = principal.PeerFromContext(ctx)
	return &paymentsv1.ChargeResponse{}, nil
}

// shop is payments, in token mode, and what its callers need.
type shop struct {
	dir, cert string
	network   *frameworktest.Network
	bank      *bank
}

// startShop runs payments with the configuration of the document, in which only names and paths are replaced.
func startShop(t *testing.T, c *cluster) *shop {
	t.Helper()
	s := &shop{dir: t.TempDir(), network: frameworktest.NewNetwork(t), bank: &bank{}}
	cert, key := selfSigned(t, s.dir)
	s.cert = cert
	s.enroll(t, "orders")
	const pod = "/var/run/secrets/kubernetes.io/serviceaccount/"
	app := s.app(t, "payments", s.config(t, "projected-server.yaml",
		"https://kubernetes.default.svc.cluster.local", clusterIssuer,
		"https://kubernetes.default.svc/", "https://"+c.addr+"/",
		pod+"ca.crt", filepath.Join(c.dir, "cert.pem"), pod+"token", filepath.Join(c.dir, "token"),
		"/etc/payments/tls.crt", cert, "/etc/payments/tls.key", key))
	paymentsv1.RegisterPaymentsServiceServer(s.network.Server(app), s.bank)
	s.network.Run(app)
	return s
}

// config is a configuration of docs/providers with other paths.
func (s *shop) config(t *testing.T, name string, replace ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "providers", name))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.dir, name)
	write(t, file, []byte(strings.NewReplacer(replace...).Replace(string(text))))
	return file
}

func (s *shop) enroll(t *testing.T, service string) {
	t.Helper()
	id, err := principal.ParseID("spiffe://shop.example/" + service)
	if err != nil {
		t.Fatal(err)
	}
	if err := auth.Enroll(s.trust(), id); err != nil {
		t.Fatal(err)
	}
}

func (s *shop) trust() string { return filepath.Join(s.dir, "state") }

func (s *shop) app(t *testing.T, service, file string) *framework.App {
	t.Helper()
	app := framework.New(service, framework.WithConfigFile(file), framework.WithDialer(s.network.Dial),
		framework.WithLogger(slog.New(slog.DiscardHandler)), framework.WithEnviron([]string{
			"PARLEY_IDENTITY_TRUST_DIR=" + s.trust(), "PARLEY_IDENTITY_ENROLL=self",
			"PARLEY_IDENTITY_KEY_FILE=" + filepath.Join(s.trust(), "keys", service+".jwk"),
			"PARLEY_LIFECYCLE_ANNOUNCE=0s", "PARLEY_LIFECYCLE_QUIET=0s",
		}))
	t.Cleanup(func() { _ = app.Close() })
	return app
}

// orders calls payments with the configuration of the document. It proves payments, too.
func (s *shop) orders(t *testing.T, token string) paymentsv1.PaymentsServiceClient {
	t.Helper()
	file := filepath.Join(s.dir, "projected")
	write(t, file, []byte(token))
	app := s.app(t, "orders", s.config(t, "projected-client.yaml",
		"dns:///payments.shop.svc:8443", "passthrough:///server-1:443\n    server_name: 127.0.0.1",
		"/etc/orders/ca.pem", s.cert, "/var/run/secrets/tokens/payments", file))
	return paymentsv1.NewPaymentsServiceClient(app.Client("payments"))
}

// plain calls payments with a token alone, and proves nothing.
func (s *shop) plain(t *testing.T, token string) paymentsv1.PaymentsServiceClient {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///server-1:443", grpc.WithContextDialer(s.network.Dial),
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
			RootCAs: roots(t, s.cert), ServerName: "127.0.0.1", MinVersion: tls.VersionTLS13,
		})),
		grpc.WithPerRPCCredentials(bearer(token)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return paymentsv1.NewPaymentsServiceClient(conn)
}

// bearer sends a token with each call.
type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

func (bearer) RequireTransportSecurity() bool { return true }

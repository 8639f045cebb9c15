package engines

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/principal"
)

// clusterIssuer is what the API server calls itself in the tokens of service accounts.
const clusterIssuer = "https://127.0.0.1"

// A pod's projected token is made by the API server's TokenRequest, which the kubelet asks for it. Payments takes it as
// that of a workload, with keys that it fetches from the API server, by its CA and with a token.
func TestProjectedTokens(t *testing.T) {
	c := startKubernetes(t)
	c.post(t, "/api/v1/namespaces/shop/serviceaccounts", map[string]any{"metadata": map[string]string{"name": "orders"}})
	bank := &bank{}
	client := startPayments(t, fmt.Sprintf(`
servers:
  payments:
    issuers:
    - issuer: %s
      provider: kubernetes
      audiences: [payments]
      keys: {url: "https://%s/openid/v1/jwks", ca_file: %q, bearer_token_file: %q}
      principals: {claim: sub, ids: {"system:serviceaccount:shop:orders": orders}}
`, clusterIssuer, c.addr, filepath.Join(c.dir, "cert.pem"), filepath.Join(c.dir, "token")), bank)
	charge := func(audience string) error {
		ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+c.projected(t, audience))
		_, err := client.Charge(ctx, &paymentsv1.ChargeRequest{})
		return err
	}
	if err := charge("payments"); err != nil || bank.peer.ID.String() != "spiffe://shop.example/orders" {
		t.Errorf("payments saw %s, %v", bank.peer.ID, err)
	}
	if err := charge(clusterIssuer); status.Code(err) != codes.Unauthenticated {
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

// startPayments runs payments with a configuration, in token mode, and returns a client that proves nothing by itself.
func startPayments(t *testing.T, config string, bank *bank) paymentsv1.PaymentsServiceClient {
	t.Helper()
	dir, network := t.TempDir(), frameworktest.NewNetwork(t)
	cert, key := selfSigned(t, dir)
	file, state := filepath.Join(dir, "payments.yaml"), filepath.Join(dir, "state")
	write(t, file, []byte(config))
	app := framework.New("payments", framework.WithConfigFile(file), framework.WithLogger(slog.New(slog.DiscardHandler)),
		framework.WithEnviron([]string{
			"PARLEY_IDENTITY_TRUST_DOMAIN=shop.example", "PARLEY_IDENTITY_TRUST_DIR=" + state, "PARLEY_IDENTITY_ENROLL=self",
			"PARLEY_IDENTITY_KEY_FILE=" + filepath.Join(state, "keys", "payments.jwk"),
			"PARLEY_SERVERS_PAYMENTS_CARRIERS=token",
			"PARLEY_SERVERS_PAYMENTS_TLS_CERT=" + cert, "PARLEY_SERVERS_PAYMENTS_TLS_KEY=" + key,
			"PARLEY_LIFECYCLE_ANNOUNCE=0s", "PARLEY_LIFECYCLE_QUIET=0s",
		}))
	t.Cleanup(func() { _ = app.Close() })
	paymentsv1.RegisterPaymentsServiceServer(network.Server(app), bank)
	network.Run(app)
	conn, err := grpc.NewClient("passthrough:///server-1:443", grpc.WithContextDialer(network.Dial),
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
			RootCAs: roots(t, cert), ServerName: "127.0.0.1", MinVersion: tls.VersionTLS13,
		})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return paymentsv1.NewPaymentsServiceClient(conn)
}

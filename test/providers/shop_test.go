package providers_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/issuer"
	"github.com/parley-rpc/parley/principal"
)

const (
	issuerName = "https://id.shop.example"
	ordersID   = "spiffe://shop.example/orders"
	paymentsID = "spiffe://shop.example/payments"
)

// shop is the service payments, which takes the tokens of a provider, its caller orders, and the issuer of the shop.
type shop struct {
	t       *testing.T
	dir     string
	network *frameworktest.Network
	orders  *auth.Identity
	bank    bank
	id      *issuer.Issuer
}

// bank remembers whom the last call was from and for.
type bank struct {
	paymentsv1.UnimplementedPaymentsServiceServer

	peer principal.Peer
	user principal.User
}

func (b *bank) Charge(ctx context.Context, _ *paymentsv1.ChargeRequest) (*paymentsv1.ChargeResponse, error) {
	b.peer, _ = principal.PeerFromContext(ctx)
	b.user, _ = principal.UserFromContext(ctx)
	return &paymentsv1.ChargeResponse{}, nil
}

// newShop opens a shop whose issuer takes the word of a login service.
func newShop(t *testing.T, login issuer.Login) *shop {
	t.Helper()
	s := &shop{t: t, dir: filepath.Join(t.TempDir(), "state"), network: frameworktest.NewNetwork(t)}
	id, err := principal.ParseID(ordersID)
	if err != nil {
		t.Fatal(err)
	}
	s.orders = auth.TrustDir(s.dir, id, auth.WithKeyFile(filepath.Join(s.dir, "keys", "orders.jwk")), auth.WithEnroll())
	if err := s.orders.Check(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.orders.Close() })
	_, signer, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s.id = issuer.New(issuerName, issuer.NewKeys(signer), issuer.NewStatic(issuer.Client{
		ID: ordersID, JWKS: s.ordersKeys(), Users: issuer.Grant{Audiences: []string{paymentsID}, Scopes: []string{scope}},
	}), issuer.WithLogin(login), issuer.WithLoopbackHTTP())
	t.Cleanup(func() { _ = s.id.Close() })
	if err := s.id.Check(); err != nil {
		t.Fatal(err)
	}
	s.write(
		"issuer.json",
		s.answer(httptest.NewRequestWithContext(t.Context(), http.MethodGet, issuerName+"/jwks.json", nil)),
	)
	s.writeCertificate()
	return s
}

// ordersKeys is the key set of orders, as its trust directory has it.
func (s *shop) ordersKeys() []byte {
	s.t.Helper()
	files, err := filepath.Glob(filepath.Join(s.dir, "trust", "shop.example", "orders.*.json"))
	if err != nil || len(files) != 1 {
		s.t.Fatal("the key of orders:", files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		s.t.Fatal(err)
	}
	var key struct{ JWK json.RawMessage }
	if err := json.Unmarshal(text, &key); err != nil {
		s.t.Fatal(err)
	}
	return fmt.Appendf(nil, `{"keys":[%s]}`, key.JWK)
}

// open starts payments with a configuration file, in which ISSUER stands for the file of the issuer's keys.
func (s *shop) open(config string) {
	s.t.Helper()
	file := s.write("payments.yaml", []byte(strings.ReplaceAll(config, "ISSUER", s.file("issuer.json"))))
	app := framework.New("payments", framework.WithConfigFile(file), framework.WithLogger(slog.New(slog.DiscardHandler)),
		framework.WithEnviron([]string{
			"PARLEY_IDENTITY_TRUST_DOMAIN=shop.example", "PARLEY_IDENTITY_TRUST_DIR=" + s.dir, "PARLEY_IDENTITY_ENROLL=self",
			"PARLEY_IDENTITY_KEY_FILE=" + filepath.Join(s.dir, "keys", "payments.jwk"),
			"PARLEY_SERVERS_PAYMENTS_CARRIERS=token",
			"PARLEY_SERVERS_PAYMENTS_TLS_CERT=" + s.file("cert.pem"), "PARLEY_SERVERS_PAYMENTS_TLS_KEY=" + s.file("key.pem"),
			"PARLEY_LIFECYCLE_ANNOUNCE=0s", "PARLEY_LIFECYCLE_QUIET=0s",
		}))
	s.t.Cleanup(func() { _ = app.Close() })
	paymentsv1.RegisterPaymentsServiceServer(s.network.Server(app), &s.bank)
	s.network.Run(app)
}

const server = "passthrough:///server-1:443"

// chargeFor calls as orders, for the user of a token, and returns whom payments saw.
func (s *shop) chargeFor(user string) (principal.User, error) {
	s.t.Helper()
	app := framework.New(
		"orders",
		framework.WithIdentity(s.orders),
		framework.WithDialer(s.network.Dial),
		framework.WithEnviron(
			[]string{"PARLEY_CLIENTS_PAYMENTS_TARGET=" + server},
		),
		framework.WithLogger(slog.New(slog.DiscardHandler)),
	)
	defer func() { _ = app.Close() }()
	client := paymentsv1.NewPaymentsServiceClient(app.Client("payments"))
	_, err := client.Charge(auth.AttachUserToken(s.t.Context(), user), &paymentsv1.ChargeRequest{})
	return s.bank.user, err
}

// chargeWith calls with the token of a workload and nothing else.
func (s *shop) chargeWith(token string) (principal.Peer, error) {
	s.t.Helper()
	text, err := os.ReadFile(s.file("cert.pem"))
	roots := x509.NewCertPool()
	if err != nil || !roots.AppendCertsFromPEM(text) {
		s.t.Fatal("no certificate", err)
	}
	conn, err := grpc.NewClient(
		server,
		grpc.WithContextDialer(s.network.Dial),
		grpc.WithTransportCredentials(
			credentials.NewTLS(&tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS13}),
		),
	)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx := metadata.AppendToOutgoingContext(s.t.Context(), "authorization", "Bearer "+token)
	_, err = paymentsv1.NewPaymentsServiceClient(conn).Charge(ctx, &paymentsv1.ChargeRequest{})
	return s.bank.peer, err
}

// exchange is orders at the issuer of the shop, with the token of a user (RFC 8693).
func (s *shop) exchange(user string) string {
	s.t.Helper()
	assertion, err := s.orders.ClientAssertion(s.t.Context(), "", issuerName)
	if err != nil {
		s.t.Fatal(err)
	}
	form := url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "audience": {paymentsID}, "subject_token": {user},
		"subject_token_type":    {"urn:ietf:params:oauth:token-type:access_token"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion},
	}
	request := httptest.NewRequestWithContext(
		s.t.Context(),
		http.MethodPost,
		issuerName+"/token",
		strings.NewReader(form.Encode()),
	)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var made issued
	if err := json.Unmarshal(s.answer(request), &made); err != nil {
		s.t.Fatal(err)
	}
	return made.AccessToken
}

// answer is what the issuer of the shop says to a request, which it must like.
func (s *shop) answer(request *http.Request) []byte {
	s.t.Helper()
	w := httptest.NewRecorder()
	s.id.ServeHTTP(w, request)
	if w.Code != http.StatusOK {
		s.t.Fatalf("%s: %d %s", request.URL, w.Code, w.Body)
	}
	return w.Body.Bytes()
}

func (s *shop) file(name string) string { return filepath.Join(filepath.Dir(s.dir), name) }

func (s *shop) write(name string, text []byte) string {
	s.t.Helper()
	if err := os.WriteFile(s.file(name), text, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return s.file(name)
}

func (s *shop) writeCertificate() {
	s.t.Helper()
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
		DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		s.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		s.t.Fatal(err)
	}
	s.write("cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	s.write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}

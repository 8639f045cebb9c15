package providers_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
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

// door is a place at which tokens of a product are taken.
type door struct {
	name string
	kind string // of the fixture's tokens
	// knock brings a token and returns whom it was taken for. The error is the refusal.
	knock func(token string) (seen, error)
}

// The doors, as the table shows them.
const (
	userDoor     = "user token"
	exchangeDoor = "login exchange"
	workloadDoor = "workload token"
)

// seen is whom a token was taken for.
type seen struct {
	principal string
	scopes    []string
}

// errRefused is the answer of a door to a token that does not hold. Any other error means that the door is broken.
var errRefused = errors.New("refused")

// shop is the service payments, configured by a product's YAML file, and its caller orders.
type shop struct {
	t       *testing.T
	dir     string
	network *frameworktest.Network
	bank    *bank
	server  string // its address
}

// bank remembers whom the last call was from and for.
type bank struct {
	paymentsv1.UnimplementedPaymentsServiceServer
	peer  principal.Peer
	user  principal.User
	calls int
}

func (b *bank) Charge(ctx context.Context, _ *paymentsv1.ChargeRequest) (*paymentsv1.ChargeResponse, error) {
	b.peer, _ = principal.PeerFromContext(ctx)
	b.user, _ = principal.UserFromContext(ctx)
	b.calls++
	return &paymentsv1.ChargeResponse{}, nil
}

// newShop makes what a product's shop stands on: a network, and a folder for keys.
func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{
		t:       t,
		dir:     filepath.Join(t.TempDir(), "state"),
		network: frameworktest.NewNetwork(t),
		bank:    &bank{},
		server:  "server-1:443",
	}
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s.writeCertificate()
	return s
}

// payments is the server, with a file of this folder. Where files are elsewhere than in the example is said in the
// environment, as a deployment does.
func (s *shop) payments(p *product, file string, more ...string) *framework.App {
	s.t.Helper()
	app := s.app("payments", framework.WithConfigFile(file), framework.WithRoundTripper(p),
		s.environment("payments", append(more, "PARLEY_SERVERS_PAYMENTS_TLS_CERT="+s.file("cert.pem"),
			"PARLEY_SERVERS_PAYMENTS_TLS_KEY="+s.file("key.pem"),
			"PARLEY_LIFECYCLE_ANNOUNCE=0s", "PARLEY_LIFECYCLE_QUIET=0s")...))
	paymentsv1.RegisterPaymentsServiceServer(s.network.Server(app), s.bank)
	return app
}

// start starts payments.
func (s *shop) start(p *product, file string, more ...string) {
	s.t.Helper()
	s.network.Run(s.payments(p, file, more...))
}

// enroll makes the key of a workload and publishes it.
func (s *shop) enroll(service string) error {
	id, err := principal.ParseID(idOf(service))
	if err != nil {
		return err
	}
	return auth.Enroll(s.dir, id)
}

// client is payments as orders calls it, with a file of this folder.
func (s *shop) client(file string, more ...string) paymentsv1.PaymentsServiceClient {
	s.t.Helper()
	orders := s.app("orders", framework.WithConfigFile(file),
		s.environment("orders", append(more, "PARLEY_CLIENTS_PAYMENTS_TARGET=passthrough:///"+s.server)...))
	return paymentsv1.NewPaymentsServiceClient(orders.Client("payments"))
}

func (s *shop) file(name string) string { return filepath.Join(filepath.Dir(s.dir), name) }

// environment is what the deployment of a service says of its identity.
func (s *shop) environment(service string, more ...string) framework.Option {
	return framework.WithEnviron(append(more,
		"PARLEY_IDENTITY_TRUST_DOMAIN=shop.example", "PARLEY_IDENTITY_TRUST_DIR="+s.dir, "PARLEY_IDENTITY_ENROLL=self",
		"PARLEY_IDENTITY_KEY_FILE="+filepath.Join(s.dir, "keys", service+".jwk")))
}

func (s *shop) app(service string, options ...framework.Option) *framework.App {
	s.t.Helper()
	app := framework.New(service, append(options, framework.WithDialer(s.network.Dial),
		framework.WithLogger(slog.New(slog.DiscardHandler)))...)
	s.t.Cleanup(func() {
		if err := app.Close(); err != nil {
			s.t.Errorf("closing %s: %v", service, err)
		}
	})
	return app
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
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(s.file(name), pem.EncodeToMemory(block), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
}

// userDoor takes the token of a user from orders, which proves itself by its connection.
func (s *shop) userDoor() door {
	s.t.Helper()
	client := s.client("user-client.yaml")
	return door{userDoor, "user", func(token string) (seen, error) {
		err := s.knock(func() error { return chargeFor(s.t.Context(), client, token) })
		return seen{s.bank.user.Subject, s.bank.user.Scopes}, err
	}}
}

// workloadDoor takes the token of a workload that has nothing else to prove itself with.
func (s *shop) workloadDoor() door {
	s.t.Helper()
	roots := x509.NewCertPool()
	pem, err := os.ReadFile(s.file("cert.pem"))
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		s.t.Fatal("no certificate", err)
	}
	conn, err := grpc.NewClient(
		"passthrough:///"+s.server,
		grpc.WithContextDialer(s.network.Dial),
		grpc.WithTransportCredentials(
			credentials.NewTLS(&tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS13}),
		),
	)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	client := paymentsv1.NewPaymentsServiceClient(conn)
	return door{workloadDoor, "workload", func(token string) (seen, error) {
		err := s.knock(func() error { return chargeWithAuthorization(s.t.Context(), client, token) })
		return seen{principal: s.bank.peer.ID.String()}, err
	}}
}

// knock makes one call. A refusal is errRefused, and no handler may have run.
func (s *shop) knock(call func() error) error {
	before := s.bank.calls
	err := call()
	if err != nil && s.bank.calls != before {
		s.t.Errorf("a handler ran although the call failed: %v", err)
	}
	if status.Code(err) == codes.Unauthenticated {
		return errors.Join(errRefused, err)
	}
	return err
}

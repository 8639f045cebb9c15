package node_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

const limit = 2 * time.Minute

// node runs a program of this folder and returns its output.
func node(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	program, err := exec.LookPath("node")
	if err != nil {
		t.Fatalf(
			"this test needs Node.js 20 or later with npm: install it (Debian: nodejs and npm), and run make test-node: %v",
			err,
		)
	}
	if _, err := os.Stat("node_modules"); err != nil {
		t.Fatalf("the packages of the Node program are not installed: run make test-node, or npm ci in test/node: %v", err)
	}
	said, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	t.Logf("%s", said)
	if err != nil {
		t.Errorf("node %s: %v", strings.Join(args, " "), err)
	}
	return string(said)
}

func TestVectors(t *testing.T) {
	if said := node(t, "vectors.mjs", "../../docs/vectors"); !strings.HasSuffix(said, " vectors hold\n") {
		t.Error("the vectors were not checked")
	}
}

func TestClient(t *testing.T) {
	for alg, opts := range map[string][]auth.Option{"EdDSA": nil, "ES256": {auth.WithES256()}} {
		t.Run(alg, func(t *testing.T) {
			if said := node(t, "client.mjs", serve(t, opts...)); strings.Count(said, "ok: ") != 17 ||
				strings.Contains(said, "FAIL") {
				t.Error("not everything holds")
			}
		})
	}
}

type payments struct {
	paymentsv1.UnimplementedPaymentsServiceServer
}

func (payments) GetQuote(_ context.Context, req *paymentsv1.GetQuoteRequest) (*paymentsv1.GetQuoteResponse, error) {
	return &paymentsv1.GetQuoteResponse{Replica: req.GetOrderId()}, nil
}

func (payments) Charge(context.Context, *paymentsv1.ChargeRequest) (*paymentsv1.ChargeResponse, error) {
	return &paymentsv1.ChargeResponse{ChargeId: "7"}, nil
}

func (payments) Refund(context.Context, *paymentsv1.RefundRequest) (*paymentsv1.RefundResponse, error) {
	return &paymentsv1.RefundResponse{}, nil
}

func (payments) WatchCharge(
	_ *paymentsv1.WatchChargeRequest,
	stream grpc.ServerStreamingServer[paymentsv1.WatchChargeResponse],
) error {
	for _, state := range []string{"authorized", "captured", "settled"} {
		if err := stream.Send(&paymentsv1.WatchChargeResponse{State: state}); err != nil {
			return err
		}
	}
	return nil
}

// serve starts payments, and a server with the same certificate that proves nothing. It returns the file that tells the
// client about them.
func serve(t *testing.T, opts ...auth.Option) string {
	t.Helper()
	state := t.TempDir()
	if err := os.Chmod(state, 0o700); err != nil {
		t.Fatal(err)
	}
	orders := enroll(t, state, "orders", opts...) // first, so that payments knows its key from the beginning
	identity := enroll(t, state, "payments", opts...)
	certificate, roots := localhost(t)
	table, err := policy.New(policy.Code(map[string]*policyv1.Policy{
		paymentsv1.PaymentsService_Charge_FullMethodName: {Auth: &policyv1.Auth{Proof: policyv1.Proof_PROOF_CALL.Enum()}},
		paymentsv1.PaymentsService_Refund_FullMethodName: {Auth: &policyv1.Auth{Proof: policyv1.Proof_PROOF_WPT.Enum()}},
	}))
	if err != nil {
		t.Fatal(err)
	}
	options := identity.ServerOptions(
		table,
		auth.WithBearer(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &certificate, nil }),
	)
	config := map[string]any{
		"address":    listen(t, options...),
		"silent":     listen(t, grpc.Creds(credentials.NewServerTLSFromCert(&certificate))),
		"roots":      roots,
		"protos":     "../../proto",
		"client":     orders.ID().String(),
		"client_key": read(t, filepath.Join(state, "keys", "shop.example", "orders.jwk")),
		"server":     identity.ID().String(),
		"server_key": published(t, state, "payments"),
	}
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "client.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// enroll makes the key of a service and returns its identity.
func enroll(t *testing.T, state, service string, opts ...auth.Option) *auth.Identity {
	t.Helper()
	id, err := principal.ParseID("spiffe://shop.example/" + service)
	if err != nil {
		t.Fatal(err)
	}
	identity := auth.TrustDir(state, id, append(opts, auth.WithEnroll())...)
	if err := identity.Check(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := identity.Close(); err != nil {
			t.Error(err)
		}
	})
	return identity
}

// published is the public key of a service as the trust directory has it.
func published(t *testing.T, state, service string) json.RawMessage {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(state, "trust", "shop.example", service+".*.json"))
	if err != nil || len(found) != 1 {
		t.Fatalf("the public key of %s: %v, %v", service, found, err)
	}
	var entry struct {
		JWK json.RawMessage `json:"jwk"`
	}
	if err := json.Unmarshal(read(t, found[0]), &entry); err != nil {
		t.Fatal(err)
	}
	return entry.JWK
}

func read(t *testing.T, path string) json.RawMessage {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// listen serves payments on a free port.
func listen(t *testing.T, opts ...grpc.ServerOption) (address string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(opts...)
	paymentsv1.RegisterPaymentsServiceServer(server, payments{})
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// localhost makes a certificate for localhost, and its root in PEM.
func localhost(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	root := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, root
}

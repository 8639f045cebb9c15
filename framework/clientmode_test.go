package framework_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"

	"github.com/parley-rpc/parley/framework"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/principal"
)

func TestContradictionsInTheModeOfAClient(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		client string
		want   string
	}{
		"an authority for connection mode": {"ca_file: /etc/ca.pem", "clients.orders.ca_file"},
		"a name for connection mode":       {"mode: require, server_name: orders.example", "clients.orders.server_name"},
		"no such file":                     {"mode: token, ca_file: /no/such/ca.pem", "/no/such/ca.pem"},
		"a pattern in token mode": {
			`mode: token, peers: ["spiffe://shop.example/*"]`, "exactly one expected server",
		},
		"two servers in prefer": {
			`mode: prefer, peers: ["spiffe://shop.example/a", "spiffe://shop.example/b"]`, "exactly one expected server",
		},
		"no such mode": {"mode: maybe", "clients.orders.mode"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, keyFile := state(t)
			config := fmt.Sprintf(
				"identity: {trust_domain: shop.example, trust_dir: %q, key_file: %q}\nclients:\n  orders: {target: "+
					"\"localhost:1\", %s}\n",
				dir,
				keyFile,
				test.client,
			)
			app := newPayments(t, framework.WithConfigFile(writeFile(t, config)))
			app.Client("orders")
			if err := app.Check(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Check = %v\nwhich does not say %q", err, test.want)
			}
		})
	}
}

// certificateFor writes a certificate for localhost, which vouches for itself, and its key.
func certificateFor(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotAfter:     time.Now().Add(time.Hour),
		DNSNames:     []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// The configuration alone makes a client call in token mode, with a proof of the server in every answer.
func TestTokenModeByConfiguration(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	for _, service := range []string{"orders", "payments"} {
		id, err := principal.ParseID("spiffe://shop.example/" + service)
		if err != nil {
			t.Fatal(err)
		}
		if err := auth.Enroll(dir, id); err != nil {
			t.Fatal(err)
		}
	}
	cert, key := certificateFor(t)
	identity := fmt.Sprintf("identity: {trust_domain: shop.example, trust_dir: %q}\n", dir)
	lis := bufconn.Listen(1 << 16)

	server := framework.New("payments", framework.WithEnviron(nil), framework.WithConfigFile(writeFile(t, identity+
		fmt.Sprintf(
			"lifecycle: {announce: 0s, quiet: 0s}\nservers:\n  payments: {carriers: [token], tls: {cert: %q, key: %q}}\n",
			cert,
			key,
		))))
	var carrier string
	paymentsv1.RegisterPaymentsServiceServer(
		server.Server("127.0.0.1:0", framework.WithListener(lis), framework.WithServiceName("payments")),
		&bank{
			quote: func(ctx context.Context) error {
				p, _ := principal.PeerFromContext(ctx)
				carrier = p.Carrier.String()
				return nil
			},
		},
	)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()

	client := framework.New("orders", framework.WithEnviron(nil), framework.WithConfigFile(writeFile(t, identity+
		fmt.Sprintf(
			"clients:\n  payments: {target: \"passthrough:///payments\", mode: token, ca_file: %q, server_name: localhost}\n",
			cert,
		))))
	cc := client.Client(
		"payments",
		framework.WithDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }),
	)
	var text strings.Builder
	if err := client.Describe(&text); err != nil || !strings.Contains(text.String(), "auth.WithMode(token)") {
		t.Errorf("Describe does not show the mode: %v\n%s", err, text.String())
	}
	var header metadata.MD
	_, err := paymentsv1.NewPaymentsServiceClient(cc).
		GetQuote(t.Context(), &paymentsv1.GetQuoteRequest{}, grpc.WaitForReady(true), grpc.Header(&header))
	if err != nil {
		t.Error(err)
	}
	if carrier != "token" || len(header["parley-proof"]) != 1 {
		t.Errorf("the caller came by %q, and %d proofs came back", carrier, len(header["parley-proof"]))
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

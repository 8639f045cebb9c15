package framework_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	otelcodes "go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/internal/jose"
)

// office is an issuer that vouches for workloads, and the directory in which everything lies.
type office struct {
	t   *testing.T
	dir string
	key *jose.PrivateKey
}

const officeName = "https://id.shop.example"

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t, dir: t.TempDir(), key: newKey(t)}
	o.write("keys.json", fmt.Sprintf(`{"keys":[%s]}`, o.public(o.key)))
	return o
}

func newKey(t *testing.T) *jose.PrivateKey {
	t.Helper()
	key, err := jose.GenerateKey(jose.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (o *office) public(key *jose.PrivateKey) json.RawMessage {
	o.t.Helper()
	text, err := key.Public().MarshalJWK()
	if err != nil {
		o.t.Fatal(err)
	}
	return text
}

// file is the path of a file of the office.
func (o *office) file(name string) string { return filepath.Join(o.dir, name) }

// write replaces a file as a careful agent does.
func (o *office) write(name, text string) {
	o.t.Helper()
	if err := os.WriteFile(o.file(name+".new"), []byte(text), 0o600); err != nil {
		o.t.Fatal(err)
	}
	if err := os.Rename(o.file(name+".new"), o.file(name)); err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) sign(typ string, life time.Duration, claims map[string]any) string {
	o.t.Helper()
	now := time.Now()
	claims["iss"], claims["iat"], claims["exp"] = officeName, now.Unix(), now.Add(life).Unix()
	text, err := json.Marshal(claims)
	if err != nil {
		o.t.Fatal(err)
	}
	token, err := o.key.Sign(typ, text)
	if err != nil {
		o.t.Fatal(err)
	}
	return token
}

// hire gives a service a new key and an identity token for it.
func (o *office) hire(service string, life time.Duration) {
	o.t.Helper()
	key := newKey(o.t)
	text, err := key.MarshalJWK()
	if err != nil {
		o.t.Fatal(err)
	}
	o.write(service+".jwk", string(text))
	o.write(service+".jwt", o.sign("wit+jwt", life, map[string]any{
		"sub": "spiffe://shop.example/" + service, "cnf": map[string]any{"jwk": o.public(key)},
	}))
}

// bearer writes a bearer token of orders for payments.
func (o *office) bearer(life time.Duration) {
	o.t.Helper()
	o.write("bearer.jwt", o.sign("at+jwt", life, map[string]any{
		"sub": "spiffe://shop.example/orders", "aud": "spiffe://shop.example/payments", "jti": time.Now().String(),
	}))
}

// config is a configuration file of a service whose identity the office vouches for, with further sections.
func (o *office) config(service, rest string) framework.Option {
	o.t.Helper()
	return framework.WithConfigFile(writeFile(o.t, fmt.Sprintf(`
identity:
  trust_domain: shop.example
  key_file: %q
  issued:
    token_file: %q
    issuers: [{issuer: %s, trust_domains: [shop.example], keys: {file: %q}}]
`, o.file(service+".jwk"), o.file(service+".jwt"), officeName, o.file("keys.json"))+rest))
}

// app is a service of the office in the network n, with no identity but that of its configuration.
func (o *office) app(n *frameworktest.Network, service, rest string, opts ...framework.Option) *framework.App {
	o.t.Helper()
	app := framework.New(service, append([]framework.Option{
		o.config(service, rest), framework.WithEnviron(nil), framework.WithDialer(n.Dial),
		framework.WithLogger(slog.New(slog.DiscardHandler)),
	}, opts...)...)
	o.t.Cleanup(func() {
		if err := app.Close(); err != nil {
			o.t.Errorf("closing %s: %v", service, err)
		}
	})
	return app
}

// callEachSecond calls for ten minutes, and does between two calls what is due every minute. No call may fail.
func callEachSecond(t *testing.T, client paymentsv1.PaymentsServiceClient, everyMinute func()) {
	t.Helper()
	for n := range 600 {
		if n%60 == 59 {
			everyMinute()
		}
		if _, err := client.Charge(t.Context(), &paymentsv1.ChargeRequest{}); err != nil {
			t.Fatalf("call %d: %v", n, err)
		}
		time.Sleep(time.Second)
	}
}

// Configuration files alone make two services that an issuer vouches for. Their keys and tokens are replaced every
// minute while calls run that must not be repeated.
func TestIssuedIdentitiesByConfiguration(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, n := newOffice(t), frameworktest.NewNetwork(t)
		rotate := func() {
			o.hire("payments", 3*time.Minute)
			o.hire("orders", 3*time.Minute)
		}
		rotate()
		server := o.app(n, "payments", "lifecycle: {announce: 0s, quiet: 0s}\n")
		paymentsv1.RegisterPaymentsServiceServer(n.Server(server), &bank{})
		n.Run(server)
		orders := o.app(n, "orders", "clients: {payments: {target: \"passthrough:///server-1:443\"}}\n")
		callEachSecond(t, paymentsv1.NewPaymentsServiceClient(orders.Client("payments")), rotate)
	})
}

// The same in token mode: the issuer's bearer token lies in a file beside, which is replaced too.
func TestIssuedTokensByConfiguration(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, n := newOffice(t), frameworktest.NewNetwork(t)
		rotate := func() {
			o.hire("payments", 3*time.Minute)
			o.hire("orders", 3*time.Minute)
			o.bearer(3 * time.Minute)
		}
		rotate()
		cert, key := certificateFor(t)
		server := o.app(n, "payments", fmt.Sprintf(`
lifecycle: {announce: 0s, quiet: 0s}
servers:
  payments:
    carriers: [token]
    tls: {cert: %q, key: %q}
    issuers: [{issuer: %s, keys: {file: %q}, subjects: ["spiffe://shop.example/orders"]}]
`, cert, key, officeName, o.file("keys.json")))
		paymentsv1.RegisterPaymentsServiceServer(n.Server(server), &bank{})
		n.Run(server)
		orders := o.app(n, "orders", fmt.Sprintf(`
clients:
  payments: {target: "passthrough:///server-1:443", mode: token, ca_file: %q, server_name: localhost, token: {file: %q}}
`, cert, o.file("bearer.jwt")))
		callEachSecond(t, paymentsv1.NewPaymentsServiceClient(orders.Client("payments")), rotate)
	})
}

// gRPC's own health check carries no token. A server that shows its health to certain callers alone must not look dead
// to its clients in token mode.
func TestTokenModeWithClosedHealth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, n := newOffice(t), frameworktest.NewNetwork(t)
		o.hire("payments", time.Hour)
		o.hire("orders", time.Hour)
		o.bearer(time.Hour)
		cert, key := certificateFor(t)
		server := o.app(n, "payments", fmt.Sprintf(`
lifecycle: {announce: 0s, quiet: 0s}
policies: {"/*": {auth: {peers: [orders]}}}
servers:
  payments:
    carriers: [token]
    tls: {cert: %q, key: %q}
    issuers: [{issuer: %s, keys: {file: %q}, subjects: ["spiffe://shop.example/orders"], shared: true}]
`, cert, key, officeName, o.file("keys.json")))
		paymentsv1.RegisterPaymentsServiceServer(n.Server(server), &bank{})
		n.Run(server)
		orders := o.app(n, "orders", fmt.Sprintf(`
clients:
  payments: {target: "passthrough:///server-1:443", mode: token, ca_file: %q, server_name: localhost, token: {file: %q}}
`, cert, o.file("bearer.jwt")))
		client := paymentsv1.NewPaymentsServiceClient(orders.Client("payments"))
		if _, err := client.Charge(t.Context(), &paymentsv1.ChargeRequest{}); err != nil {
			t.Fatal(err)
		}
	})
}

// A service whose issuer cannot be asked is not ready, and says whose keys are missing.
func TestReadinessWaitsForTheKeysOfIssuers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		o.hire("payments", time.Hour)
		var log bytes.Buffer
		app := framework.New(
			"payments",
			framework.WithEnviron(nil),
			framework.WithLogger(slog.New(slog.NewTextHandler(&log, nil))),
			framework.WithConfigFile(writeFile(t, fmt.Sprintf(`
identity:
  trust_domain: shop.example
  key_file: %q
  issued:
    token_file: %q
    issuers: [{issuer: %s, trust_domains: [shop.example], keys: {url: "http://127.0.0.1:1/keys", loopback_http: true}}]
`, o.file("payments.jwk"), o.file("payments.jwt"), officeName))),
		)
		done := make(chan error, 1)
		go func() { done <- app.Run(t.Context()) }()
		time.Sleep(time.Minute)
		select {
		case <-app.Ready():
			t.Error("it is ready")
		default:
		}
		if err := app.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if text := log.String(); strings.Count(text, "not ready") != 1 ||
			!strings.Contains(text, "identity: keyset.URL") {
			t.Errorf("the log does not say once what is missing:\n%s", text)
		}
	})
}

func TestDescribeShowsWhoVouches(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.hire("payments", time.Hour)
	o.bearer(time.Hour)
	cert, key := certificateFor(t)
	app := newPayments(t, o.config("payments", fmt.Sprintf(`
servers:
  payments: {carriers: [token], tls: {cert: %q, key: %q}, issuers: [{issuer: a, keys: {file: %[3]q}, subjects: ["spiffe://shop.example/*"], shared: true}]}
users: {issuers: [{issuer: b, keys_file: %[3]q}], transactions: {issuer: c, keys: {file: %[3]q}}}
clients:
  ledger: {target: "localhost:1", mode: token, token: {file: %[4]q, any_audience: true}}
  tax: {target: "localhost:1", mode: token, token: {endpoint: {issuer: d, url: "https://d.example/token", scopes: [pay]}}}
`, cert, key, o.file("keys.json"), o.file("bearer.jwt"))))
	app.Client("ledger")
	app.Client("tax")
	if err := app.Check(); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := app.Describe(&text); err != nil {
		t.Fatal(err)
	}
	keys := fmt.Sprintf("keyset.File(%q", o.file("keys.json"))
	for _, want := range []string{
		fmt.Sprintf("tokens.File(%q)", o.file("payments.jwt")),
		"identity.issued.issuers[0]  " + officeName + "  " + keys,
		"servers.payments.issuers[0]  a  " + keys,
		"users.issuers[0]  b  " + keys,
		"users.transactions  c  " + keys,
		fmt.Sprintf("auth.WithTokenSource(tokens.Keep(tokens.File(%q)))", o.file("bearer.jwt")),
		`auth.WithTokenSource(tokens.Keep(tokens.FromIssuer("d", tokens.WithScopes(pay))))`,
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("Describe does not show %s", want)
		}
	}
	for _, secret := range []string{"payments.jwk", "payments.jwt", "bearer.jwt"} {
		held, err := os.ReadFile(o.file(secret))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text.String(), string(held[len(held)-40:])) {
			t.Errorf("Describe shows what lies in %s", secret)
		}
	}
	if t.Failed() {
		t.Log(text.String())
	}
}

// lateConn holds up one write for the time that it is told.
type lateConn struct {
	net.Conn
	late *atomic.Int64
}

func (c lateConn) Write(b []byte) (int, error) {
	time.Sleep(time.Duration(c.late.Swap(0)))
	return c.Conn.Write(b)
}

// A token that ends on its way is renewed, and the second attempt has a span of its own, also of a method that must not
// be repeated.
func TestScenario37ATokenThatEndsOnItsWay(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(context.Context, paymentsv1.PaymentsServiceClient) error{
		"unary": func(ctx context.Context, client paymentsv1.PaymentsServiceClient) error {
			_, err := client.Charge(ctx, &paymentsv1.ChargeRequest{})
			return err
		},
		"stream": func(ctx context.Context, client paymentsv1.PaymentsServiceClient) error {
			stream, err := client.WatchCharge(ctx, &paymentsv1.WatchChargeRequest{})
			for err == nil {
				_, err = stream.Recv()
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o, n := newOffice(t), frameworktest.NewNetwork(t)
				o.hire("payments", time.Hour)
				o.hire("orders", time.Hour)
				o.bearer(time.Second)
				cert, key := certificateFor(t)
				server := o.app(n, "payments", o.place(fmt.Sprintf(`
lifecycle: {announce: 0s, quiet: 0s}
servers:
  payments:
    carriers: [token]
    tls: {cert: %q, key: %q}
    issuers: [{issuer: %s, keys: {file: KEYS}, subjects: ["spiffe://shop.example/orders"], clock_skew: 0s}]
`, cert, key, officeName)))
				paymentsv1.RegisterPaymentsServiceServer(n.Server(server), &bank{watch: func(context.Context) error { return nil }})
				n.Run(server)
				var late atomic.Int64
				spans := tracetest.NewSpanRecorder()
				orders := o.app(n, "orders", o.place(fmt.Sprintf(`
clients:
  payments: {target: "passthrough:///server-1:443", mode: token, ca_file: %q, server_name: localhost, token: {file: BEARER}}
`, cert)), framework.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))),
					framework.WithDialer(func(ctx context.Context, addr string) (net.Conn, error) {
						conn, err := n.Dial(ctx, addr)
						return lateConn{conn, &late}, err
					}))
				client := paymentsv1.NewPaymentsServiceClient(orders.Client("payments"))
				if err := call(t.Context(), client); err != nil {
					t.Fatal(err)
				}
				spans.Reset()
				time.Sleep(750 * time.Millisecond)
				o.bearer(time.Hour)
				late.Store(int64(500 * time.Millisecond))
				if err := call(t.Context(), client); err != nil {
					t.Fatal(err)
				}
				ended := spans.Ended()
				if len(ended) != 3 {
					t.Fatalf("%d spans, want one of the call and two of attempts", len(ended))
				}
				if got := attributeOf(ended[2], "parley.attempts").AsInt64(); got != 2 {
					t.Errorf("the call says that it had %d attempts", got)
				}
				if got := ended[0].Status().Code; got != otelcodes.Error {
					t.Errorf("the first attempt ended with %v", got)
				}
			})
		})
	}
}

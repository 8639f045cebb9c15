package framework_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/framework"
	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/principal"
)

type payments struct {
	paymentsv1.UnimplementedPaymentsServiceServer
}

// state is a fresh state directory with a key of the service payments.
func state(t *testing.T) (dir, keyFile string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "state")
	keyFile = filepath.Join(dir, "keys", "payments.jwk")
	id, err := principal.ParseID("spiffe://shop.example/payments")
	if err != nil {
		t.Fatal(err)
	}
	identity := auth.TrustDir(dir, id, auth.WithKeyFile(keyFile), auth.WithEnroll())
	if err := errors.Join(identity.Check(), identity.Close()); err != nil {
		t.Fatal(err)
	}
	return dir, keyFile
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "payments.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func newPayments(t *testing.T, opts ...framework.Option) *framework.App {
	t.Helper()
	app := framework.New("payments", append([]framework.Option{framework.WithEnviron(nil)}, opts...)...)
	t.Cleanup(func() { _ = app.Close() })
	paymentsv1.RegisterPaymentsServiceServer(app.Server("127.0.0.1:0"), &payments{})
	return app
}

func TestCheckNamesThePlaceAndTheRemedy(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		config string // %[1]s is the state directory, %[2]s the key file
		spoil  func(t *testing.T, dir, keyFile string)
		want   []string
	}{
		{
			name:   "unknown key",
			config: "identity: {trust_dri: %[1]q}\n",
			want:   []string{"payments.yaml:1:", "trust_dri", `did you mean "trust_dir"`},
		},
		{
			name:   "bad duration",
			config: "identity: {trust_domain: shop.example, trust_dir: %[1]q, key_file: %[2]q}\nlifecycle:\n  grace: 20\n",
			want:   []string{"payments.yaml:3:", "lifecycle.grace", "250ms"},
		},
		{
			name:   "negative duration",
			config: "identity: {trust_domain: shop.example, trust_dir: %[1]q, key_file: %[2]q}\nlifecycle:\n  grace: -1s\n",
			want:   []string{"lifecycle.grace", "negative"},
		},
		{
			name:   "missing key file",
			config: "identity: {trust_domain: shop.example, trust_dir: %[1]q, key_file: %[2]q}\n",
			spoil:  func(t *testing.T, _, keyFile string) { remove(t, keyFile) },
			want:   []string{"payments.jwk"},
		},
		{
			name:   "key file that others can read",
			config: "identity: {trust_domain: shop.example, trust_dir: %[1]q, key_file: %[2]q}\n",
			spoil: func(t *testing.T, _, keyFile string) {
				if err := os.Chmod(keyFile, 0o644); err != nil {
					t.Fatal(err)
				}
			},
			want: []string{"payments.jwk", "chmod 600"},
		},
		{
			name:   "malformed key",
			config: "identity: {trust_domain: shop.example, trust_dir: %[1]q, key_file: %[2]q}\n",
			spoil: func(t *testing.T, _, keyFile string) {
				if err := os.WriteFile(keyFile, []byte(`{"kty":"OKP","crv":"Ed25519","x":"AA"}`), 0o600); err != nil {
					t.Fatal(err)
				}
			},
			want: []string{"payments.jwk"},
		},
		{
			name:   "no identity",
			config: "lifecycle: {grace: 1s}\n",
			want:   []string{"identity.trust_dir", "WithInsecureDev"},
		},
		{
			name: "policy of an unknown method",
			config: "identity: {trust_domain: shop.example, trust_dir: %[1]q, key_file: %[2]q}\n" +
				"policies:\n  /shop.payments.v1.PaymentsService/Chrage:\n    deadline: {max: 1s}\n",
			want: []string{"payments.yaml:3", "Chrage", "Charge"},
		},
		{
			name: "section of an unknown server",
			config: "identity: {trust_domain: shop.example, trust_dir: %[1]q, key_file: %[2]q}\n" +
				"servers:\n  paymnets: {listen: \"127.0.0.1:0\"}\n",
			want: []string{"servers.paymnets", "payments"},
		},
		{
			name: "bearer tokens without a certificate",
			config: "identity: {trust_domain: shop.example, trust_dir: %[1]q, key_file: %[2]q}\n" +
				"servers:\n  payments: {carriers: [token]}\n",
			want: []string{"servers.payments", "tls.cert"},
		},
		{
			name: "admin page for everybody",
			config: "identity: {trust_domain: shop.example, trust_dir: %[1]q, key_file: %[2]q}\n" +
				"surfaces: {admin: \":8090\"}\n",
			want: []string{"surfaces.admin", "loopback"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir, keyFile := state(t)
			if test.spoil != nil {
				test.spoil(t, dir, keyFile)
			}
			config := test.config
			if strings.Contains(config, "%[") {
				config = fmt.Sprintf(config+"%[3]s", dir, keyFile, "")
			}
			app := newPayments(t, framework.WithConfigFile(writeFile(t, config)))
			err := app.Check()
			if err == nil {
				t.Fatal("Check found nothing")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("Check = %v\nwhich does not say %q", err, want)
				}
			}
			if runErr := app.Run(t.Context()); runErr == nil || !strings.Contains(runErr.Error(), err.Error()) {
				t.Errorf("Run = %v, want what Check says", runErr)
			}
		})
	}
}

func remove(t *testing.T, file string) {
	t.Helper()
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
}

func TestCheckAcceptsAGoodApp(t *testing.T) {
	t.Parallel()
	dir, keyFile := state(t)
	config := fmt.Sprintf("identity: {trust_domain: shop.example, trust_dir: %q, key_file: %q}\n", dir, keyFile)
	app := newPayments(t, framework.WithConfigFile(writeFile(t, config)))
	if err := app.Check(); err != nil {
		t.Fatal(err)
	}
}

func TestCheckReportsAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	noop := func(
		ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker,
		opts ...grpc.CallOption,
	) error {
		return invoker(ctx, method, req, reply, cc, opts...)
	}
	app := framework.New(
		"not a name",
		framework.WithEnviron([]string{"PARLEY_SERVRES=1"}),
		framework.WithCallInterceptors(noop, nil),
	)
	t.Cleanup(func() { _ = app.Close() })
	app.Server("8443")
	app.Client("dns:///payments.internal:8443")
	app.Background("nothing", nil)
	app.ReadyWhen("never asked", nil)
	err := app.Check()
	if err == nil {
		t.Fatal("Check found nothing")
	}
	for _, want := range []string{
		"not a name", "PARLEY_SERVRES", "WithCallInterceptors", `Server("8443")`, "WithPeers", `Background("nothing")`,
		`ReadyWhen("never asked")`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("Check does not mention %s:\n%v", want, err)
		}
	}
}

func TestAMethodWithoutAuthDecisionKeepsTheServerFromStarting(t *testing.T) {
	t.Parallel()
	dir, keyFile := state(t)
	config := fmt.Sprintf("identity: {trust_domain: shop.example, trust_dir: %q, key_file: %q}\n", dir, keyFile)
	app := framework.New("payments", framework.WithEnviron(nil), framework.WithConfigFile(writeFile(t, config)))
	t.Cleanup(func() { _ = app.Close() })
	grpc_testing.RegisterTestServiceServer(app.Server("127.0.0.1:0"), grpc_testing.UnimplementedTestServiceServer{})
	err := app.Check()
	if err == nil || !strings.Contains(err.Error(), "/grpc.testing.TestService/EmptyCall") {
		t.Fatalf("Check = %v, want the names of the methods", err)
	}
}

func TestAPolicyInCodeDecides(t *testing.T) {
	t.Parallel()
	dir, keyFile := state(t)
	config := fmt.Sprintf("identity: {trust_domain: shop.example, trust_dir: %q, key_file: %q}\n", dir, keyFile)
	app := framework.New("payments", framework.WithEnviron(nil), framework.WithConfigFile(writeFile(t, config)),
		framework.WithPolicy(map[string]*policyv1.Policy{
			"/grpc.testing.TestService/*": {Auth: &policyv1.Auth{Access: policyv1.Access_ACCESS_AUTHENTICATED.Enum()}},
		}))
	t.Cleanup(func() { _ = app.Close() })
	grpc_testing.RegisterTestServiceServer(app.Server("127.0.0.1:0"), grpc_testing.UnimplementedTestServiceServer{})
	if err := app.Check(); err != nil {
		t.Fatal(err)
	}
}

func TestTheFirstRPCRefusesWithTheErrorOfCheck(t *testing.T) {
	t.Parallel()
	app := framework.New("orders", framework.WithEnviron(nil))
	t.Cleanup(func() { _ = app.Close() })
	client := paymentsv1.NewPaymentsServiceClient(app.Client("payments"))
	_, err := client.GetQuote(t.Context(), &paymentsv1.GetQuoteRequest{})
	if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), app.Check().Error()) {
		t.Fatalf("GetQuote = %v, want FAILED_PRECONDITION with the error of Check", err)
	}
	_, err = client.WatchCharge(t.Context(), &paymentsv1.WatchChargeRequest{})
	if status.Code(err) != codes.FailedPrecondition {
		t.Fatalf("WatchCharge = %v, want FAILED_PRECONDITION", err)
	}
}

// A section that no client has is found by the first call of a program that does not run, as Check and Run find it.
func TestTheFirstRPCFindsASectionOfNoClient(t *testing.T) {
	t.Parallel()
	gone, cancel := context.WithCancel(t.Context()) // a call that passes the check ends at once
	cancel()
	for config, want := range map[string]string{
		"clients: {paymnets: {target: \"dns:///a:1\"}}\n": "clients.paymnets: no client of this program has that name; ",
		"clients: {mail: {target: \"dns:///a:1\"}}\n":     "it has ledger, payments",
		"servers: {orders: {listen: \"127.0.0.1:1\"}}\n":  "", // which a program without Run does not serve
	} {
		app := framework.New("orders", framework.WithEnviron(nil), framework.WithInsecureDev(),
			framework.WithConfigFile(writeFile(t, config)))
		t.Cleanup(func() { _ = app.Close() })
		client := paymentsv1.NewPaymentsServiceClient(app.Client(
			"payments", framework.WithTarget("passthrough:///127.0.0.1:1"),
		))
		app.Client("ledger", framework.WithTarget("passthrough:///127.0.0.1:1"))
		_, err := client.GetQuote(gone, &paymentsv1.GetQuoteRequest{})
		if want == "" {
			if status.Code(err) != codes.Canceled {
				t.Errorf("%s: GetQuote = %v, want CANCELED", config, err)
			}
			continue
		}
		if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: GetQuote = %v, want FAILED_PRECONDITION that says %q", config, err, want)
		}
		if near := strings.Contains(
			err.Error(), "did you mean clients.payments?",
		); near != strings.Contains(config, "paymnets") {
			t.Errorf("%s: GetQuote = %v", config, err)
		}
	}
}

func TestAPortInUseStartsNothing(t *testing.T) {
	t.Parallel()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	app := framework.New("payments", framework.WithEnviron(nil), framework.WithInsecureDev())
	paymentsv1.RegisterPaymentsServiceServer(app.Server("127.0.0.1:0"), &payments{})
	second := app.Server(taken.Addr().String())
	paymentsv1.RegisterPaymentsServiceServer(second, &payments{})
	app.Background("must not run", func(context.Context) error {
		t.Error("background work was started")
		return nil
	})
	err = app.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "address already in use") ||
		!strings.Contains(err.Error(), "choose another") {
		t.Fatalf("Run = %v, want the address in use and the remedy", err)
	}
	select {
	case <-app.Ready():
		t.Error("the App was ready")
	default:
	}
}

func TestASecondRunIsRefused(t *testing.T) {
	t.Parallel()
	app := framework.New("orders", framework.WithEnviron(nil), framework.WithInsecureDev())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := app.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if err := app.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "once") {
		t.Fatalf("the second Run = %v, want a refusal", err)
	}
}

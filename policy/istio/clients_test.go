package istio_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/policy/istio"
)

// bank is a service that always answers.
type bank struct {
	paymentsv1.UnimplementedPaymentsServiceServer
}

func (bank) GetQuote(context.Context, *paymentsv1.GetQuoteRequest) (*paymentsv1.GetQuoteResponse, error) {
	return &paymentsv1.GetQuoteResponse{}, nil
}

func (bank) Charge(context.Context, *paymentsv1.ChargeRequest) (*paymentsv1.ChargeResponse, error) {
	return &paymentsv1.ChargeResponse{}, nil
}

const (
	getQuote = paymentsService + "GetQuote"
	charge   = paymentsService + "Charge"
)

const routesHead = "apiVersion: networking.istio.io/v1\nkind: VirtualService\n" +
	"metadata: {name: payments, namespace: shop}\nspec:\n  hosts: [payments]\n  http:\n"

const ruleHead = "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\n" +
	"metadata: {name: p, namespace: shop}\n"

// meshed is a client of payments whose files are in a folder.
type meshed struct {
	calls  paymentsv1.PaymentsServiceClient
	orders *framework.App
	faults *frameworktest.Faults
	file   string
	log    *bytes.Buffer
}

// newMeshed starts payments and a client of it. The longest wait before a retry is taken.
func newMeshed(t *testing.T, text string, opts ...framework.ClientOption) *meshed {
	t.Helper()
	dir := t.TempDir()
	m := &meshed{faults: frameworktest.NewFaults(), file: filepath.Join(dir, "mesh.yaml"), log: new(bytes.Buffer)}
	m.write(t, text)
	n := frameworktest.NewNetwork(t)
	payments := n.App("payments")
	paymentsv1.RegisterPaymentsServiceServer(n.Server(payments, m.faults.Option()), bank{})
	n.Run(payments)
	m.orders = n.App("orders", framework.WithPolicySource(istio.Dir(dir, orders())),
		framework.WithLogger(slog.New(slog.NewTextHandler(m.log, nil))),
		framework.WithRetry(retry.WithRandom(func() float64 { return 1 - 1.0/(1<<53) })))
	m.calls = paymentsv1.NewPaymentsServiceClient(m.orders.Client("payments", opts...))
	return m
}

func (m *meshed) write(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(m.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// quote makes a call, and says how it ended and how long it took.
func (m *meshed) quote(t *testing.T) string {
	t.Helper()
	start := time.Now()
	_, err := m.calls.GetQuote(t.Context(), &paymentsv1.GetQuoteRequest{})
	return fmt.Sprintf("%v after %v", status.Code(err), time.Since(start).Round(time.Microsecond))
}

// TestClientsFollowTheMesh counts the attempts of calls and measures how long they take.
func TestClientsFollowTheMesh(t *testing.T) {
	t.Parallel()
	retries := func(more string) string {
		return routesHead + "  - retries: {attempts: 2, backoff: 100ms, perTryTimeout: 200ms" + more + "}\n    timeout: 5s\n"
	}
	for _, test := range []struct {
		name   string
		text   string
		faults func(*frameworktest.Faults)
		want   string
		calls  int
	}{
		{
			"the timeout ends a call", routesHead + "  - timeout: 300ms\n    retries: {attempts: 0}\n",
			func(f *frameworktest.Faults) { f.Hang(getQuote, 1) }, "DeadlineExceeded after 300ms", 1,
		},
		{
			"attempts are retries and the first", retries(""),
			func(f *frameworktest.Faults) { f.Fail(getQuote, 9, codes.Unavailable) }, "Unavailable after 300ms", 3,
		},
		{
			"a retry mends it", retries(""),
			func(f *frameworktest.Faults) { f.Fail(getQuote, 1, codes.Unavailable) }, "OK after 100ms", 2,
		},
		{
			"no retries", routesHead + "  - retries: {attempts: 0}\n",
			func(f *frameworktest.Faults) { f.Fail(getQuote, 9, codes.Unavailable) }, "Unavailable after 0s", 1,
		},
		{
			"an attempt that takes too long", retries(""),
			func(f *frameworktest.Faults) { f.Hang(getQuote, 1) }, "OK after 300ms", 2,
		},
		{
			"a status that is not retried", retries(", retryOn: resource-exhausted"),
			func(f *frameworktest.Faults) { f.Fail(getQuote, 9, codes.Unavailable) }, "Unavailable after 0s", 1,
		},
		{
			"a further status that is retried", retries(", retryOn: \"internal,unavailable\""),
			func(f *frameworktest.Faults) { f.Fail(getQuote, 1, codes.Internal) }, "OK after 100ms", 2,
		},
		{
			"a route to another host is none, and the .proto decides",
			strings.Replace(retries(""), "hosts: [payments]", "hosts: [bank]", 1),
			func(f *frameworktest.Faults) { f.Hang(getQuote, 1) }, "OK after 550ms", 2,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMeshed(t, test.text)
				m.quote(t) // connects
				before := m.faults.Calls(getQuote)
				test.faults(m.faults)
				if got := m.quote(t); got != test.want {
					t.Errorf("got %s, want %s", got, test.want)
				}
				if got := m.faults.Calls(getQuote) - before; got != test.calls {
					t.Errorf("%d attempts, want %d", got, test.calls)
				}
			})
		})
	}
}

// TestClientsRepeatNothingMore leaves it to the contract which calls may be repeated.
func TestClientsRepeatNothingMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMeshed(t, routesHead+"  - retries: {attempts: 3, retryOn: \"unavailable,internal\"}\n")
		m.faults.Fail(charge, 3, codes.Unavailable)
		if _, err := m.calls.Charge(t.Context(), &paymentsv1.ChargeRequest{}); status.Code(err) != codes.Unavailable {
			t.Errorf("got %v", err)
		}
		if n := m.faults.Calls(charge); n != 1 {
			t.Errorf("%d attempts of a method that is not idempotent", n)
		}
	})
}

// TestClientsBoundStreams ends a stream of a route with a timeout, although its contract states no deadline.
func TestClientsBoundStreams(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMeshed(t, routesHead+"  - timeout: 300ms\n    retries: {attempts: 0}\n")
		m.quote(t)
		m.faults.Hang(paymentsService+"WatchCharge", 1)
		start := time.Now()
		stream, err := m.calls.WatchCharge(t.Context(), &paymentsv1.WatchChargeRequest{})
		if err == nil {
			_, err = stream.Recv()
		}
		if took := time.Since(start); status.Code(err) != codes.DeadlineExceeded || took != 300*time.Millisecond {
			t.Errorf("the stream ends with %v after %v", err, took)
		}
	})
}

// TestClientsFollowReloads changes the timeout of a running client.
func TestClientsFollowReloads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		timeout := func(d string) string { return routesHead + "  - timeout: " + d + "\n    retries: {attempts: 0}\n" }
		m := newMeshed(t, timeout("1s"))
		m.quote(t)
		for _, step := range []struct{ text, want, log string }{
			{timeout("200ms"), "DeadlineExceeded after 200ms", "policies reloaded"},
			{timeout("2s"), "DeadlineExceeded after 2s", "policies reloaded"},
			{timeout("2x"), "DeadlineExceeded after 2s", "spec.http[0].timeout: want a duration"},
			{
				timeout("1s") + ruleHead + "spec: {host: payments, trafficPolicy: {loadBalancer: {simple: LEAST_REQUEST}}}\n",
				"DeadlineExceeded after 1s", "restart to apply them",
			},
		} {
			synctest.Wait()
			m.log.Reset()
			m.write(t, step.text)
			time.Sleep(2 * time.Second)
			synctest.Wait()
			m.faults.Hang(getQuote, 1)
			if got := m.quote(t); got != step.want {
				t.Errorf("%q: got %s, want %s", step.text, got, step.want)
			}
			if !strings.Contains(m.log.String(), step.log) {
				t.Errorf("the log does not say %q:\n%s", step.log, m.log)
			}
		}
	})
}

// TestClientsAreDescribed shows the host of a client, its routes and what is stated about it, with their places.
func TestClientsAreDescribed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMeshed(t, routesHead+"  - match: [{uri: {prefix: /shop.payments.v1.PaymentsService/}, port: 8443}]\n"+
			"    timeout: 2s\n"+
			"  - match: [{headers: {x-a: {exact: b}}}]\n  - retries: {attempts: 1, backoff: 25ms}\n"+
			ruleHead+"spec:\n  host: payments\n  trafficPolicy:\n    loadBalancer:\n"+
			"      consistentHash: {httpHeaderName: x-user}\n"+
			"    outlierDetection: {baseEjectionTime: 5s}\n    retryBudget: {percent: 5}\n",
			framework.WithHost("payments.shop:8443"))
		if err := m.orders.Check(); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := m.orders.Describe(&b); err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(b.String(), m.file, "mesh.yaml")
		for _, want := range []string{
			"  WithHost(\"payments.shop:8443\")\n",
			"  balancing: ring_hash, by metadata x-user",
			"  host: payments.shop:8443\n" +
				"    calls of /shop.payments.v1.PaymentsService/* at port 8443: deadline 2s (file mesh.yaml:7 (document 1))\n" +
				"    calls of every method: max attempts 2, backoff 25ms to 250ms, retried codes [Canceled Unavailable] " +
				"(file mesh.yaml:10 (document 1))\n" +
				"    balancing: ring_hash (file mesh.yaml:19 (document 2))\n" +
				"    hash metadata: x-user (file mesh.yaml:19 (document 2))\n" +
				"    outliers rest: 5s (file mesh.yaml:20 (document 2))\n" +
				"    retry budget ratio: 0.05 (file mesh.yaml:21 (document 2))\n",
			"  not enforced: mesh.yaml:9 (document 1): VirtualService shop/payments: the match is not enforced",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("it is not described as\n%s\nbut as\n%s", want, text)
			}
		}
	})
}

// TestClientsHash sends all calls with the same header to one of three instances, as a DestinationRule says.
func TestClientsHash(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		rule := ruleHead + "spec:\n  host: payments\n" +
			"  trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: X-User}}}\n"
		if err := os.WriteFile(filepath.Join(dir, "mesh.yaml"), []byte(rule), 0o600); err != nil {
			t.Fatal(err)
		}
		n := frameworktest.NewNetwork(t)
		var received []*frameworktest.Faults
		for range 3 {
			faults := frameworktest.NewFaults()
			payments := n.App("payments")
			paymentsv1.RegisterPaymentsServiceServer(n.Server(payments, faults.Option()), bank{})
			n.Run(payments)
			received = append(received, faults)
		}
		app := n.App("orders", framework.WithPolicySource(istio.Dir(dir, orders())))
		calls := paymentsv1.NewPaymentsServiceClient(app.Client("payments"))
		ctx := metadata.AppendToOutgoingContext(t.Context(), "x-user", "7")
		for range 30 {
			if _, err := calls.GetQuote(ctx, &paymentsv1.GetQuoteRequest{}); err != nil {
				t.Fatal(err)
			}
		}
		var counts []int
		for _, faults := range received {
			counts = append(counts, faults.Calls(getQuote))
		}
		if slices.Max(counts) != 30 {
			t.Errorf("the instances have got %v of 30 calls", counts)
		}
	})
}

// TestClientsOfHosts gives two clients of one service different names in the mesh.
func TestClientsOfHosts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		text := routesHead + "  - timeout: 100ms\n    retries: {attempts: 0}\n---\n" +
			strings.NewReplacer("name: payments", "name: bank", "[payments]", "[bank.example.com]").Replace(routesHead) +
			"  - timeout: 300ms\n    retries: {attempts: 0}\n"
		m := newMeshed(t, text)
		other := paymentsv1.NewPaymentsServiceClient(
			m.orders.Client("payments", framework.WithHost("bank.example.com:443")))
		for _, calls := range []struct {
			of   paymentsv1.PaymentsServiceClient
			want string
		}{{m.calls, "DeadlineExceeded after 100ms"}, {other, "DeadlineExceeded after 300ms"}} {
			m.calls = calls.of
			m.quote(t)
			m.faults.Hang(getQuote, 1)
			if got := m.quote(t); got != calls.want {
				t.Errorf("got %s, want %s", got, calls.want)
			}
		}
	})
}

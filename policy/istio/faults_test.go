package istio_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/frameworktest"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/policy/istio"
)

const faulty = routesHead + `  - match: [{uri: {prefix: /shop.payments.v1.PaymentsService/}}]
    fault:
      delay: {fixedDelay: 2s, percentage: {value: 50}}
      abort: {grpcStatus: RESOURCE_EXHAUSTED, percentage: {value: 10}}
  - fault:
      abort: {httpStatus: 503, percentage: {value: 100}}
`

// faultsOf writes a text as the file of a folder and reads its faults. Draws are the random numbers, one after another.
func faultsOf(t *testing.T, text string, logger *slog.Logger, draws ...float64) (*istio.Faults, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mesh.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return istio.Dir(dir, orders()).Faults("payments", func() float64 {
		draw := draws[0]
		draws = draws[1:]
		return draw
	}, logger)
}

// TestFaults injects the faults of a mesh into the calls of a client, each by chance, and says so.
func TestFaults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := new(bytes.Buffer)
		faults, err := faultsOf(t, faulty, slog.New(slog.NewTextHandler(log, nil)),
			0.5, 0.1, // no delay, no end
			0.499, 0.1, // a delay
			0.5, 0.099, // an end
			0, 0, // a delay and an end
			0, // a delay that the caller does not wait for
		)
		if err != nil {
			t.Fatal(err)
		}
		m := newMeshed(t, routesHead+"  - timeout: 1s\n", frameworktest.WithFaults(faults))
		for i, want := range []string{
			"OK after 0s", "OK after 2s", "ResourceExhausted after 0s", "ResourceExhausted after 2s",
		} {
			if got := m.quote(t); got != want {
				t.Errorf("call %d: got %s, want %s", i, got, want)
			}
		}
		if n := m.faults.Calls(getQuote); n != 2 {
			t.Errorf("%d attempts have left the client", n)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		stream, err := m.calls.WatchCharge(ctx, &paymentsv1.WatchChargeRequest{})
		if err == nil {
			_, err = stream.Recv()
		}
		if status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("the stream ends with %v", err)
		}
		var b bytes.Buffer
		if err := m.orders.Describe(&b); err != nil {
			t.Fatal(err)
		}
		for text, want := range map[string]string{
			b.String(): "frameworktest.WithFaults(payments: delay of 2s in 50% of the calls, " +
				"RESOURCE_EXHAUSTED in 10% of the calls (file ",
			log.String(): "faults are injected into calls",
			strings.ReplaceAll(log.String(), "\n", " "): "a fault ends a call",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not in\n%s", want, text)
			}
		}
	})
}

// TestFaultsAreAskedFor keeps faults out of calls unless a program asks for them.
func TestFaultsAreAskedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMeshed(t, faulty)
		for range 20 {
			if got := m.quote(t); got != "OK after 0s" {
				t.Fatalf("got %s", got)
			}
		}
	})
	discard := slog.New(slog.DiscardHandler)
	for _, test := range []struct {
		text   string
		logger *slog.Logger
		says   string
	}{
		{faulty, nil, "the logger is nil"},
		{routesHead + "  - timeout: 1s\n", discard, "no route to the host \"payments\" states a fault"},
		{routesHead + "  - timeout: x\n", discard, "want a duration"},
	} {
		if _, err := faultsOf(t, test.text, test.logger); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("got %v, want %q", err, test.says)
		}
	}
}

// TestFaultCodes answers as a client of gRPC sees the status of HTTP.
func TestFaultCodes(t *testing.T) {
	t.Parallel()
	for http, want := range map[string]codes.Code{
		"400": codes.Internal, "401": codes.Unauthenticated, "403": codes.PermissionDenied, "404": codes.Unimplemented,
		"429": codes.Unavailable, "503": codes.Unavailable, "500": codes.Unknown, "200": codes.Unknown,
	} {
		faults, err := faultsOf(t, strings.Replace(faulty, "{grpcStatus: RESOURCE_EXHAUSTED, percentage: {value: 10}}",
			"{httpStatus: "+http+", percentage: {value: 100}}", 1), slog.New(slog.DiscardHandler), 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		err = faults.UnaryClientInterceptor(t.Context(), getQuote, nil, nil, nil, nil)
		if status.Code(err) != want {
			t.Errorf("%s: got %v, want %v", http, err, want)
		}
	}
}

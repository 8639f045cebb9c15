// Package observability_test checks what operators are given to observe a service with: the dashboard and the alert
// rules against the real exports of a service, and OTLP against the collector's own receiver.
package observability_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/discovery/mem"
	"github.com/parley-rpc/parley/framework"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bank is a payments service whose first calls fail.
type bank struct {
	paymentsv1.UnimplementedPaymentsServiceServer
	failing atomic.Int32
}

func (b *bank) GetQuote(context.Context, *paymentsv1.GetQuoteRequest) (*paymentsv1.GetQuoteResponse, error) {
	if b.failing.Add(-1) >= 0 {
		return nil, status.Error(codes.Unavailable, "the bank's line is down")
	}
	return &paymentsv1.GetQuoteResponse{}, nil
}

// town is services on loopback that find each other and prove themselves to each other.
type town struct {
	t      *testing.T
	dir    string
	engine *mem.Engine
}

func newTown(t *testing.T) *town {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "trust")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return &town{t, dir, mem.New()}
}

func (w *town) app(name string, environ []string, options ...framework.Option) *framework.App {
	w.t.Helper()
	domain, err := principal.ParseTrustDomain("shop.example")
	if err != nil {
		w.t.Fatal(err)
	}
	id, err := domain.ID(name)
	if err != nil {
		w.t.Fatal(err)
	}
	identity := auth.TrustDir(w.dir, id, auth.WithEnroll())
	w.t.Cleanup(func() { _ = identity.Close() })
	return framework.New(name, append([]framework.Option{
		framework.WithIdentity(identity), framework.WithDiscovery(w.engine.Driver()), framework.WithEnviron(environ),
		framework.WithLogger(slog.New(slog.DiscardHandler)),
	}, options...)...)
}

// run runs an app until stop is called, which returns what Run returned.
func (w *town) run(app *framework.App) (stop func() error) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	stop = func() error {
		cancel()
		err := <-ended
		ended <- nil // stopping twice is harmless
		return err
	}
	w.t.Cleanup(func() {
		if err := stop(); err != nil {
			w.t.Error(err)
		}
	})
	select {
	case <-app.Ready():
	case err := <-ended:
		w.t.Fatal(errors.Join(errors.New("the app did not start"), err))
	}
	return stop
}

// trade makes orders call payments once, with two failures before the success, and catalog once, which may not. It
// returns the metrics of all as Prometheus scrapes them.
func (w *town) trade() string {
	w.t.Helper()
	tel, err := telemetry.New(w.t.Context(), "shop", telemetry.WithEnviron(nil))
	if err != nil {
		w.t.Fatal(err)
	}
	measured := framework.WithMeterProvider(tel.MeterProvider())
	payments := w.app("payments", nil, measured)
	failing := &bank{}
	failing.failing.Store(2)
	paymentsv1.RegisterPaymentsServiceServer(payments.Server("127.0.0.1:0"), failing)
	w.run(payments)
	file := filepath.Join(w.t.TempDir(), "orders.yaml")
	if err := os.WriteFile(file, []byte("lifecycle: {flush: 1s}\n"), 0o600); err != nil {
		w.t.Fatal(err)
	}
	orders := w.app("orders", nil, measured, framework.WithConfigFile(file))
	client := paymentsv1.NewPaymentsServiceClient(orders.Client("payments"))
	w.run(orders)
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	if _, err := client.GetQuote(ctx, &paymentsv1.GetQuoteRequest{}); err != nil {
		w.t.Fatal(err)
	}
	catalog := w.app("catalog", nil, measured)
	if _, err := paymentsv1.NewPaymentsServiceClient(catalog.Client("payments")).GetQuote(ctx,
		&paymentsv1.GetQuoteRequest{}); status.Code(err) != codes.PermissionDenied {
		w.t.Fatalf("catalog got %v", err)
	}
	defer func() {
		if err := catalog.Close(); err != nil {
			w.t.Error(err)
		}
	}()
	reply := httptest.NewRecorder()
	tel.MetricsHandler().ServeHTTP(reply, httptest.NewRequestWithContext(w.t.Context(), http.MethodGet, "/metrics", nil))
	if err := tel.Shutdown(w.t.Context()); err != nil {
		w.t.Error(err)
	}
	return reply.Body.String()
}

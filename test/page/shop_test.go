package page_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/discovery/mem"
	"github.com/parley-rpc/parley/framework"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/waterfall"
)

// shop is the services orders and payments on loopback. Orders shows the live page.
type shop struct {
	t      *testing.T
	dir    string
	engine *mem.Engine
	bank   *bank
	addr   string // of the live page
	level  slog.LevelVar
	orders *orders

	browser context.Context
}

// bank is the payments service. So many of its calls fail.
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

func (b *bank) Refund(context.Context, *paymentsv1.RefundRequest) (*paymentsv1.RefundResponse, error) {
	return nil, status.Error(codes.Unavailable, "the bank is closed")
}

// orders is one run of the service that shows the page.
type orders struct {
	app      *framework.App
	payments paymentsv1.PaymentsServiceClient
	stop     func() error
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{
		t: t, dir: filepath.Join(t.TempDir(), "trust"), engine: mem.New(), bank: &bank{}, addr: freeAddress(t),
		browser: startBrowser(t),
	}
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	payments := s.app("payments")
	paymentsv1.RegisterPaymentsServiceServer(payments.Server("127.0.0.1:0"), s.bank)
	s.run(payments)
	s.open(waterfall.NewRing(100))
	return s
}

// open starts orders.
func (s *shop) open(ring *waterfall.Ring) {
	s.t.Helper()
	app := s.app("orders", framework.WithEnviron([]string{"PARLEY_SURFACES_ADMIN=" + s.addr}),
		framework.WithWaterfall(ring), framework.WithLogLevel(&s.level))
	paymentsv1.RegisterPaymentsServiceServer(app.Server("127.0.0.1:0"), s.bank)
	client := paymentsv1.NewPaymentsServiceClient(app.Client("payments"))
	s.orders = &orders{app, client, s.run(app)}
}

func (s *shop) app(name string, options ...framework.Option) *framework.App {
	s.t.Helper()
	domain, err := principal.ParseTrustDomain("shop.example")
	if err != nil {
		s.t.Fatal(err)
	}
	id, err := domain.ID(name)
	if err != nil {
		s.t.Fatal(err)
	}
	identity := auth.TrustDir(s.dir, id, auth.WithEnroll())
	s.t.Cleanup(func() { _ = identity.Close() })
	return framework.New(name, append([]framework.Option{
		framework.WithIdentity(identity), framework.WithDiscovery(s.engine.Driver()), framework.WithDevelopment(),
		framework.WithLogger(slog.New(slog.DiscardHandler)), framework.WithEnviron(nil),
	}, options...)...)
}

// run runs an app until the end of the test or until stop is called.
func (s *shop) run(app *framework.App) (stop func() error) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	stop = func() error {
		cancel()
		err := <-ended
		ended <- nil // stopping twice is harmless
		return err
	}
	s.t.Cleanup(func() {
		if err := stop(); err != nil {
			s.t.Error(err)
		}
	})
	select {
	case <-app.Ready():
	case err := <-ended:
		s.t.Fatal(errors.Join(errors.New("the app did not start"), err))
	}
	return stop
}

// quote makes a call that fails a number of times before it succeeds.
func (s *shop) quote(failures int32) {
	s.t.Helper()
	s.bank.failing.Store(failures)
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	if _, err := s.orders.payments.GetQuote(ctx, &paymentsv1.GetQuoteRequest{}); err != nil {
		s.t.Fatal(err)
	}
}

// refund makes a call whose deadline leaves no room for a second attempt.
func (s *shop) refund() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 400*time.Millisecond)
	defer cancel()
	if _, err := s.orders.payments.Refund(ctx, &paymentsv1.RefundRequest{}); status.Code(err) != codes.Unavailable {
		s.t.Fatalf("Refund = %v", err)
	}
}

// intrude makes calls of orders that its policy does not allow.
func (s *shop) intrude(times int) {
	s.t.Helper()
	catalog := s.app("catalog")
	client := paymentsv1.NewPaymentsServiceClient(catalog.Client("orders"))
	s.run(catalog)
	for range times {
		ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
		_, err := client.GetQuote(ctx, &paymentsv1.GetQuoteRequest{})
		cancel()
		if status.Code(err) != codes.PermissionDenied {
			s.t.Fatalf("GetQuote = %v", err)
		}
	}
}

// look opens a tab of the page.
func (s *shop) look(hash string, width, height int64, scheme string) *tab {
	s.t.Helper()
	return openTab(s.browser, s.t, s.url(hash), width, height, scheme)
}

func (s *shop) url(hash string) string { return "http://" + s.addr + "/" + hash }

// freeAddress is an address on loopback without a listener. A service that is started again keeps its address.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

package etcd_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/discovery/etcd"
	"github.com/parley-rpc/parley/framework"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
)

// payments answers after 20ms.
type payments struct {
	paymentsv1.UnimplementedPaymentsServiceServer
}

func (payments) GetQuote(ctx context.Context, _ *paymentsv1.GetQuoteRequest) (*paymentsv1.GetQuoteResponse, error) {
	return &paymentsv1.GetQuoteResponse{}, work(ctx)
}

func (payments) Charge(ctx context.Context, _ *paymentsv1.ChargeRequest) (*paymentsv1.ChargeResponse, error) {
	return &paymentsv1.ChargeResponse{}, work(ctx)
}

func work(ctx context.Context) error {
	select {
	case <-time.After(20 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

// shop makes an App that is found in e.
func shop(t *testing.T, e *engine, name string) *framework.App {
	t.Helper()
	d, err := etcd.New(etcd.Config{Endpoints: []string{e.settings.Client}})
	if err != nil {
		t.Fatal(err)
	}
	return framework.New(name, framework.WithInsecureDev(), framework.WithEnviron(nil), framework.WithDiscovery(d),
		framework.WithLogger(slog.New(slog.DiscardHandler)))
}

// run runs a replica of payments until the returned function stops it.
func run(t *testing.T, e *engine) (stop func()) {
	t.Helper()
	app := shop(t, e, "payments")
	paymentsv1.RegisterPaymentsServiceServer(app.Server("127.0.0.1:0"), payments{})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	select {
	case <-app.Ready():
	case err := <-ended:
		cancel()
		t.Fatalf("Run: %v", err)
	}
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// Three replicas are restarted one after the other, over sockets and a real etcd. Every second call may not be repeated.
func TestRollingRestartOfThreeReplicasUnder300CallsASecondFailsNoCall(t *testing.T) {
	e := newEngine(t)
	var stops []func()
	for range 3 {
		stops = append(stops, run(t, e))
	}
	orders := shop(t, e, "orders")
	t.Cleanup(func() {
		if err := orders.Close(); err != nil {
			t.Error(err)
		}
	})
	client := paymentsv1.NewPaymentsServiceClient(orders.Client("payments"))

	var made, failed atomic.Int64
	call := func(idempotent bool) {
		var err error
		if idempotent {
			_, err = client.GetQuote(t.Context(), &paymentsv1.GetQuoteRequest{})
		} else {
			_, err = client.Charge(t.Context(), &paymentsv1.ChargeRequest{})
		}
		made.Add(1)
		if err != nil && failed.Add(1) <= 3 {
			t.Errorf("call (idempotent: %v): %v", idempotent, err)
		}
	}
	done := make(chan struct{})
	var calls sync.WaitGroup
	calls.Go(func() {
		ticker := time.NewTicker(time.Second / 300)
		defer ticker.Stop()
		for number := 0; ; number++ {
			select {
			case <-done:
				return
			case <-ticker.C:
				calls.Go(func() { call(number%2 == 0) })
			}
		}
	})
	for _, stop := range stops {
		stop()
		run(t, e)
	}
	close(done)
	calls.Wait()
	if failed.Load() != 0 || made.Load() == 0 {
		t.Errorf("%d of %d calls failed", failed.Load(), made.Load())
	}
}

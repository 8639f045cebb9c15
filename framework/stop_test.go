package framework_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/plannedend"
	"github.com/parley-rpc/parley/rpcerr"
)

const (
	getQuote    = "/shop.payments.v1.PaymentsService/GetQuote"
	charge      = "/shop.payments.v1.PaymentsService/Charge"
	watchCharge = "/shop.payments.v1.PaymentsService/WatchCharge"
)

// bank is a payments service whose handlers do what a test says.
type bank struct {
	paymentsv1.UnimplementedPaymentsServiceServer
	charges atomic.Int32
	quote   func(context.Context) error
	watch   func(context.Context) error
}

func (b *bank) GetQuote(ctx context.Context, _ *paymentsv1.GetQuoteRequest) (*paymentsv1.GetQuoteResponse, error) {
	if b.quote != nil {
		if err := b.quote(ctx); err != nil {
			return nil, err
		}
	}
	return &paymentsv1.GetQuoteResponse{}, nil
}

func (b *bank) Charge(context.Context, *paymentsv1.ChargeRequest) (*paymentsv1.ChargeResponse, error) {
	b.charges.Add(1)
	return &paymentsv1.ChargeResponse{}, nil
}

func (b *bank) WatchCharge(_ *paymentsv1.WatchChargeRequest, ss paymentsv1.PaymentsService_WatchChargeServer) error {
	if err := ss.Send(&paymentsv1.WatchChargeResponse{State: "authorized"}); err != nil {
		return err
	}
	return b.watch(ss.Context())
}

// replica makes a replica of payments.
func replica(n *frameworktest.Network, b *bank, opts ...framework.Option) *framework.App {
	app := n.App("payments", opts...)
	paymentsv1.RegisterPaymentsServiceServer(n.Server(app), b)
	return app
}

func client(n *frameworktest.Network) paymentsv1.PaymentsServiceClient {
	return paymentsv1.NewPaymentsServiceClient(n.App("orders").Client("payments"))
}

func TestAStopUnderLoadLosesNoCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		b := &bank{}
		leaving := replica(n, b)
		n.Run(replica(n, b))
		stop := n.Run(leaving)
		calls := client(n)

		var wg sync.WaitGroup
		loadEnds := make(chan struct{})
		var made atomic.Int32
		for range 8 {
			wg.Go(func() {
				for {
					select {
					case <-loadEnds:
						return
					case <-time.After(5 * time.Millisecond):
					}
					if _, err := calls.Charge(t.Context(), &paymentsv1.ChargeRequest{}); err != nil {
						t.Errorf("Charge: %v", err)
						return
					}
					made.Add(1)
				}
			})
		}
		time.Sleep(time.Second)
		if err := stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
		time.Sleep(time.Second)
		close(loadEnds)
		wg.Wait()
		if made.Load() != b.charges.Load() {
			t.Errorf("%d charges for %d calls", b.charges.Load(), made.Load())
		}
	})
}

func TestAHandlerThatNeverReturnsIsCutAndNamed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		released := make(chan struct{})
		defer close(released)
		b := &bank{watch: func(context.Context) error {
			<-released // ignores its context
			return nil
		}}
		app := replica(n, b, framework.WithEnviron([]string{"PARLEY_LIFECYCLE_GRACE=3s"}))
		stop := n.Run(app)
		stream, err := client(n).WatchCharge(t.Context(), &paymentsv1.WatchChargeRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
		started := time.Now()
		err = stop()
		// 1 s announced, 200 ms quiet, 1 s until streams end, 1 s for their handlers.
		if took := time.Since(started); took != 3200*time.Millisecond {
			t.Errorf("the stop took %v", took)
		}
		var cut *framework.CutError
		if !errors.As(err, &cut) {
			t.Fatalf("Run = %v, want a CutError", err)
		}
		if len(cut.Report.Cut) != 1 || cut.Report.Cut[0] != (framework.MethodCount{Method: watchCharge, Calls: 1}) {
			t.Errorf("cut: %v", cut.Report.Cut)
		}
		if len(cut.Report.Stuck) != 1 || !strings.Contains(cut.Report.Stuck[0], "WatchCharge") {
			t.Errorf("stuck: %q", cut.Report.Stuck)
		}
		if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
			t.Errorf("the caller of the cut stream got %v", err)
		}
	})
}

func TestTheDrainReportNamesNoHandlerOfAnotherApp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		released := make(chan struct{})
		defer close(released)
		watch := func(context.Context) error {
			<-released // ignores its context
			return nil
		}
		grace := framework.WithEnviron([]string{"PARLEY_LIFECYCLE_GRACE=3s"})
		other := n.App("refunds", grace)
		paymentsv1.RegisterPaymentsServiceServer(n.Server(other), &bank{watch: watch})
		stop := n.Run(replica(n, &bank{watch: watch}, grace))
		n.Run(other)
		for _, service := range []string{"payments", "refunds"} {
			calls := paymentsv1.NewPaymentsServiceClient(n.App("orders").Client(service))
			stream, err := calls.WatchCharge(t.Context(), &paymentsv1.WatchChargeRequest{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := stream.Recv(); err != nil {
				t.Fatal(err)
			}
		}
		var cut *framework.CutError
		if err := stop(); !errors.As(err, &cut) {
			t.Fatalf("Run = %v, want a CutError", err)
		}
		if len(cut.Report.Stuck) != 1 {
			t.Errorf("%d stuck handlers are named, want the one of this App: %q", len(cut.Report.Stuck), cut.Report.Stuck)
		}
	})
}

// A long stream is told of the stop, ends with it as planned, and costs nobody an error.
func TestALongStreamEndsWithItsServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		told, by := make(chan time.Time, 1), make(chan time.Time, 1)
		b := &bank{watch: func(ctx context.Context) error {
			ending := plannedend.FromContext(ctx)
			<-ending.Coming()
			told <- time.Now()
			<-ctx.Done()
			by <- ending.By()
			return ctx.Err()
		}}
		stop := n.Run(replica(n, b))
		stream, err := client(n).WatchCharge(t.Context(), &paymentsv1.WatchChargeRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
		started := time.Now()
		err = stop()
		if err != nil {
			t.Errorf("Run = %v", err)
		}
		// 1 s announced, 200 ms quiet, a third of 15 s until streams end.
		if took := time.Since(started); took != 6200*time.Millisecond {
			t.Errorf("the stop took %v", took)
		}
		if at := (<-told).Sub(started); at != 0 {
			t.Errorf("the handler was told %v after the stop began", at)
		}
		if at := (<-by).Sub(started); at != 6200*time.Millisecond {
			t.Errorf("the end was announced for %v after the stop began", at)
		}
		if _, err := stream.Recv(); status.Code(err) != codes.Unavailable || rpcerr.ReasonOf(err) != rpcerr.PlannedEnd {
			t.Errorf("the caller of the stream got %v", err)
		}
	})
}

func TestCallsInFlightAreFinished(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		app := n.App("payments")
		faults := frameworktest.NewFaults().Delay(charge, 1, 4*time.Second)
		b := &bank{}
		paymentsv1.RegisterPaymentsServiceServer(n.Server(app, faults.Option()), b)
		stop := n.Run(app)
		calls := client(n)
		answered := make(chan error, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		go func() {
			_, err := calls.Charge(ctx, &paymentsv1.ChargeRequest{})
			answered <- err
		}()
		time.Sleep(time.Second)
		stopped := make(chan error, 1)
		go func() { stopped <- stop() }()
		// The service's policy gives a call 2 s, so a call of 4 s ends at its own deadline and not at the drain's.
		if err := <-answered; status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("Charge = %v", err)
		}
		if err := <-stopped; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestConnectionsInTheirHandshakeDoNotHoldUpTheStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		app := n.App("payments")
		server := n.Server(app)
		paymentsv1.RegisterPaymentsServiceServer(server, &bank{})
		stop := n.Run(app)
		silent, err := n.Dial(t.Context(), server.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer silent.Close()
		synctest.Wait()
		started := time.Now()
		if err := stop(); err != nil {
			t.Error(err)
		}
		if took := time.Since(started); took != 1200*time.Millisecond {
			t.Errorf("the stop took %v", took)
		}
	})
}

func TestASecondStopIsHarmless(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		app := replica(n, &bank{})
		stop := n.Run(app)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if err := app.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
		}
		wg.Wait()
		if err := stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
		if err := app.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

func TestCloseEndsABackoffAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		app := n.App("payments")
		refund := "/shop.payments.v1.PaymentsService/Refund"
		faults := frameworktest.NewFaults().Fail(refund, 9, codes.Unavailable)
		paymentsv1.RegisterPaymentsServiceServer(n.Server(app, faults.Option()), &bank{})
		n.Run(app)
		orders := n.App("orders")
		calls := paymentsv1.NewPaymentsServiceClient(orders.Client("payments"))
		answered := make(chan error, 1)
		started := time.Now()
		go func() {
			_, err := calls.Refund(t.Context(), &paymentsv1.RefundRequest{})
			answered <- err
		}()
		synctest.Wait()
		if err := orders.Close(); err != nil {
			t.Error(err)
		}
		if err := <-answered; err == nil {
			t.Error("Refund succeeded")
		}
		if took := time.Since(started); took != 0 {
			t.Errorf("the call ended after %v", took)
		}
		if _, err := calls.Refund(t.Context(), &paymentsv1.RefundRequest{}); status.Code(err) != codes.Canceled ||
			!errors.Is(err, framework.ErrClosed) {
			t.Errorf("a call after Close = %v", err)
		}
	})
}

func TestBackgroundWorkStopsAfterTheServersAndItsErrorStopsTheApp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("the queue is gone")
		app := framework.New("orders", framework.WithEnviron(nil), framework.WithInsecureDev())
		var ended atomic.Bool
		app.Background("waits", func(ctx context.Context) error {
			<-ctx.Done()
			ended.Store(true)
			return ctx.Err()
		})
		app.Background("breaks", func(context.Context) error {
			time.Sleep(time.Minute)
			return broken
		})
		err := app.Run(t.Context())
		if !errors.Is(err, broken) || !strings.Contains(err.Error(), `"breaks"`) {
			t.Errorf("Run = %v", err)
		}
		if !ended.Load() {
			t.Error("the other background work was left behind")
		}
	})
}

package framework_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/internal/rounds"
)

// load makes calls at an even rate, each of them in flight for 20ms.
type load struct {
	t      *testing.T
	client paymentsv1.PaymentsServiceClient
	made   atomic.Int64
	failed atomic.Int64
}

// busyReplica makes a replica of payments that takes 20ms for a call.
func busyReplica(n *frameworktest.Network) *framework.App {
	app := n.App("payments")
	paymentsv1.RegisterPaymentsServiceServer(n.Server(app, framework.WithHandlerInterceptors(
		func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			time.Sleep(20 * time.Millisecond)
			return handler(ctx, req)
		},
		func(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
			return handler(srv, ss)
		})), &bank{watch: func(context.Context) error { return nil }})
	return app
}

// loadRate is how many calls a second the tests under load make: 30, and 300 in continuous integration.
func loadRate() int { return rounds.Of(30) }

// during runs calls at perSecond while do runs. Where it is not idempotent, every second call may not be repeated.
func (l *load) during(perSecond int, idempotent bool, do func()) {
	var calls sync.WaitGroup
	done := make(chan struct{})
	calls.Go(func() {
		ticker := time.NewTicker(time.Second / time.Duration(perSecond))
		defer ticker.Stop()
		for number := 0; ; number++ {
			select {
			case <-done:
				return
			case <-ticker.C:
			}
			calls.Go(func() { l.call(idempotent || number%2 == 0) })
		}
	})
	do()
	close(done)
	calls.Wait()
}

func (l *load) call(idempotent bool) {
	var err error
	if idempotent {
		_, err = l.client.GetQuote(l.t.Context(), &paymentsv1.GetQuoteRequest{})
	} else {
		_, err = l.client.Charge(l.t.Context(), &paymentsv1.ChargeRequest{})
	}
	l.made.Add(1)
	if err != nil {
		if l.failed.Add(1) <= 3 {
			l.t.Errorf("call %d (idempotent: %v): %v", l.made.Load(), idempotent, err)
		}
	}
}

// report fails the test unless enough calls were made and none of them failed.
func (l *load) report(atLeast int64) {
	l.t.Helper()
	if made, failed := l.made.Load(), l.failed.Load(); failed != 0 || made < atLeast {
		l.t.Errorf("%d of %d calls failed; want none of at least %d", failed, made, atLeast)
	}
}

func TestRollingRestartOfThreeReplicasUnderLoadFailsNoCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		var stops []func() error
		for range 3 {
			stops = append(stops, n.Run(busyReplica(n)))
		}
		l := &load{t: t, client: client(n)}
		l.during(loadRate(), false, func() {
			time.Sleep(time.Second)
			for _, stop := range stops {
				if err := stop(); err != nil {
					t.Errorf("Run: %v", err)
				}
				n.Run(busyReplica(n))
				time.Sleep(time.Second)
			}
		})
		l.report(int64(loadRate()) * 5)
	})
}

// The dead replica stands in discovery for another 15 seconds, until its lease has run out. Its connection is broken at
// once, so no call is sent there a second later.
func TestKillOfOneOfThreeUnderLoadFailsNoIdempotentCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		apps := []*framework.App{busyReplica(n), busyReplica(n), busyReplica(n)}
		for _, app := range apps {
			n.Run(app)
		}
		var way route
		l := &load{t: t, client: paymentsv1.NewPaymentsServiceClient(n.App("orders", way.option()).Client("payments"))}
		l.during(loadRate(), true, func() {
			time.Sleep(time.Second)
			if used := distinct(way.taken()); len(used) != 3 {
				t.Errorf("calls went to %v, want three replicas", used)
			}
			n.Kill(apps[0])
			time.Sleep(time.Second)
			way.taken()
			time.Sleep(4 * time.Second)
			if used := distinct(way.taken()); len(used) != 2 {
				t.Errorf("calls went to %v, want the two replicas that are alive", used)
			}
		})
		l.report(int64(loadRate()) * 6)
	})
}

func distinct(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }

// Every lease has run out when the engine is back, and everybody is registered again within 5 seconds.
func TestEngineKilledFor60SecondsUnderLoadFailsNoCallAndRecoversWithin5Seconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		for range 3 {
			n.Run(busyReplica(n))
		}
		var way route
		l := &load{t: t, client: paymentsv1.NewPaymentsServiceClient(n.App("orders", way.option()).Client("payments"))}
		l.during(loadRate(), false, func() {
			time.Sleep(time.Second)
			n.Engine().SetDown(true)
			time.Sleep(time.Minute)
			n.Engine().SetDown(false)
			time.Sleep(5 * time.Second)
			if listed := listing(t, n); len(listed) != 3 {
				t.Errorf("5s after the engine was back it lists %v, want three instances", listed)
			}
			n.Run(busyReplica(n))
			time.Sleep(time.Second)
			way.taken()
			time.Sleep(time.Second)
			if used := distinct(way.taken()); len(used) != 4 {
				t.Errorf("calls go to %v, want the new replica, too: the watch is back", used)
			}
		})
		l.report(int64(loadRate()) * 60)
	})
}

// listing is what the engine lists of payments.
func listing(t *testing.T, n *frameworktest.Network) (ids []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	d := n.Engine().Driver()
	_ = d.Watch(ctx, "payments", func(list []discovery.Instance) {
		for _, in := range list {
			ids = append(ids, in.ID)
		}
		cancel()
	})
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	return ids
}

// Nothing waits for the engine; the attempts of a call fail at once and say which one is down, or wait where they say
// so.
func TestEngineAbsentAtStartIsNamedAndRecoversByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		n.Engine().SetDown(true)
		started := time.Now()
		n.Run(busyReplica(n))
		calls := client(n)
		if took := time.Since(started); took > 2*time.Second {
			t.Errorf("the start took %v, want at most the 2s for the registration", took)
		}
		started = time.Now()
		err := charged(t, calls)
		if text := status.Convert(err).Message(); status.Code(err) != codes.Unavailable ||
			!strings.Contains(text, `discovery: mem: find "payments"`) {
			t.Errorf("Charge = %v; want UNAVAILABLE that names the engine", err)
		}
		if took := time.Since(started); took > 500*time.Millisecond {
			t.Errorf("Charge took %v to fail, want no more than the waits between its attempts", took)
		}
		waiting := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
			defer cancel()
			stream, err := calls.WatchCharge(ctx, &paymentsv1.WatchChargeRequest{}, grpc.WaitForReady(true))
			if err == nil {
				_, err = stream.Recv()
			}
			waiting <- err
		}()
		time.Sleep(time.Second)
		n.Engine().SetDown(false)
		if err := <-waiting; err != nil {
			t.Errorf("WatchCharge that waits for ready: %v", err)
		}
		time.Sleep(5 * time.Second)
		if err := charged(t, calls); err != nil {
			t.Errorf("Charge after the engine was back: %v", err)
		}
	})
}

func charged(t *testing.T, client paymentsv1.PaymentsServiceClient) error {
	_, err := client.Charge(t.Context(), &paymentsv1.ChargeRequest{})
	return err
}

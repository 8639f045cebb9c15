package shutdown

import (
	"context"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/discovery/file"
	"github.com/parley-rpc/parley/framework"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
)

// sights notes where the attempts of numbered calls are sent.
type sights struct {
	mu   sync.Mutex
	call int            // the calls that were begun
	sent map[string]int // attempts by endpoint
	last map[string]int // the calls that were begun when the last of them was sent
}

func (s *sights) note(ctx context.Context) {
	attempt.FromContext(ctx).OnChoice(func(c attempt.Choice) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sent[c.Endpoint]++
		s.last[c.Endpoint] = s.call
	})
}

func (s *sights) option() framework.AppOrClientOption {
	return framework.WithAttemptInterceptors(
		func(
			ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker,
			opts ...grpc.CallOption,
		) error {
			s.note(ctx)
			return invoker(ctx, method, req, reply, cc, opts...)
		},
		func(
			ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer,
			opts ...grpc.CallOption,
		) (grpc.ClientStream, error) {
			s.note(ctx)
			return streamer(ctx, desc, cc, method, opts...)
		},
	)
}

// begin counts a call and returns its number and how many endpoints attempts were sent to so far.
func (s *sights) begin() (call, endpoints int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.call++
	return s.call, len(s.sent)
}

// of returns how many attempts were sent to an endpoint, and how many calls had been begun at the last of them.
func (s *sights) of(endpoint string) (sent, last int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent[endpoint], s.last[endpoint]
}

// The dead replica goes on standing in discovery, until its lease has run out. The client watches its health on a
// stream, which breaks with its connection. So it is out of use at once, and certainly a second later, which is 300
// calls later.
func TestKill9OfOneOfThreeUnder300CallsASecondFailsNoIdempotentCall(t *testing.T) {
	const second = 300
	dir, folder := filepath.Join(t.TempDir(), "state"), filepath.Join(t.TempDir(), "discovery")
	own := enrolled(t, dir, "orders")
	enrolled(t, dir, "payments") // before the replicas, which share the key
	var replicas []*childProcess
	for range 3 {
		child := startChild(t, stateEnv+"="+dir, discoveryEnv+"="+folder)
		t.Cleanup(child.kill)
		replicas = append(replicas, child)
	}
	victim := replicas[0].line(t)
	d, err := file.New(folder)
	if err != nil {
		t.Fatal(err)
	}
	seen := &sights{sent: map[string]int{}, last: map[string]int{}}
	app := framework.New(
		"orders",
		framework.WithIdentity(own),
		framework.WithEnviron(nil),
		framework.WithDiscovery(d),
		seen.option(),
	)
	t.Cleanup(func() { _ = app.Close() })
	client := paymentsv1.NewPaymentsServiceClient(app.Client("payments"))

	var calls sync.WaitGroup
	var failed atomic.Int64
	ticker := time.NewTicker(time.Second / second)
	defer ticker.Stop()
	// load begins calls until enough of them were, and returns how many they are.
	load := func(enough func(call, endpoints int) bool) int {
		for {
			<-ticker.C
			call, endpoints := seen.begin()
			calls.Go(func() {
				if _, err := client.GetQuote(t.Context(), &paymentsv1.GetQuoteRequest{}); err != nil && failed.Add(1) <= 3 {
					t.Errorf("call %d: %v", call, err)
				}
			})
			if enough(call, endpoints) {
				return call
			}
		}
	}
	if _, err := client.GetQuote(t.Context(), &paymentsv1.GetQuoteRequest{}, grpc.WaitForReady(true)); err != nil {
		t.Fatal(err)
	}
	killed := load(func(call, endpoints int) bool { return call >= second && endpoints == 3 })
	before, _ := seen.of(victim)
	replicas[0].kill()
	ended := load(func(call, _ int) bool { return call >= killed+2*second })
	calls.Wait()

	if n := failed.Load(); n > 0 {
		t.Errorf("%d of %d calls failed; want none", n, ended)
	}
	after, last := seen.of(victim)
	if met := after - before; met > second/10 || last > killed+second {
		t.Errorf(
			"after the kill %d calls were sent to the dead replica, the last of them %d calls later; "+
				"want at most %d, and none after %d calls",
			met,
			last-killed,
			second/10,
			second,
		)
	}
	t.Logf(
		"of the %d calls after the kill %d were sent to the dead replica, all within %d calls",
		ended-killed,
		after-before,
		max(0, last-killed),
	)
}

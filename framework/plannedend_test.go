package framework_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	"github.com/parley-rpc/parley/frameworktest"
	ordersv1 "github.com/parley-rpc/parley/gen/shop/orders/v1"
	"github.com/parley-rpc/parley/interceptors/retry"
)

// feed is a service with a stream of numbers, ten seconds apart, that goes on behind any of them.
type feed struct {
	ordersv1.UnimplementedOrdersServiceServer
}

func (feed) WatchOrder(
	r *ordersv1.WatchOrderRequest,
	ss grpc.ServerStreamingServer[ordersv1.WatchOrderResponse],
) error {
	for i := r.GetAfter() + 1; ; i++ {
		if err := ss.Send(&ordersv1.WatchOrderResponse{Number: i}); err != nil {
			return err
		}
		select {
		case <-time.After(10 * time.Second):
		case <-ss.Context().Done():
			return ss.Context().Err()
		}
	}
}

// A resumed stream outlives the age of its connections and the stop of its servers, one after the other, and its caller
// gets every message once and in order. No stop has to cut it.
func TestAResumedStreamOutlivesPlannedEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		replica := func() (stop func() error) {
			app := n.App("orders")
			ordersv1.RegisterOrdersServiceServer(n.Server(app), feed{})
			return n.Run(app)
		}
		stop := replica()
		client := ordersv1.NewOrdersServiceClient(n.App("web").Client("orders"))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		stream, err := retry.Resume(ctx, func(
			ctx context.Context, last *ordersv1.WatchOrderResponse,
		) (grpc.ServerStreamingClient[ordersv1.WatchOrderResponse], error) {
			return client.WatchOrder(ctx, &ordersv1.WatchOrderRequest{After: last.GetNumber()})
		})
		if err != nil {
			t.Fatal(err)
		}
		stops := make(chan error, 1)
		began := time.Now()
		for want := uint64(1); time.Since(began) < 3*time.Hour; want++ {
			got, err := stream.Recv()
			if err != nil {
				t.Fatalf("after %v: %v", time.Since(began), err)
			}
			if got.GetNumber() != want {
				t.Fatalf("message %d, want %d", got.GetNumber(), want)
			}
			if want%240 == 0 { // every 40 minutes another replica takes over
				next := replica()
				go func(stop func() error) { stops <- stop() }(stop)
				stop = next
			}
			if len(stops) > 0 {
				if err := <-stops; err != nil {
					t.Errorf("a stop beside a long stream: %v", err)
				}
			}
		}
		cancel()
	})
}

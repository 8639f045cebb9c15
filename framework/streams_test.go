package framework_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/parley-rpc/parley/frameworktest"
	ordersv1 "github.com/parley-rpc/parley/gen/shop/orders/v1"
	"github.com/parley-rpc/parley/interceptors/retry"
)

const (
	watchOrder   = "/shop.orders.v1.OrdersService/WatchOrder"
	importOrders = "/shop.orders.v1.OrdersService/ImportOrders"
)

// tracked is an orders service that streams.
type tracked struct {
	ordersv1.UnimplementedOrdersServiceServer
}

func (tracked) WatchOrder(
	req *ordersv1.WatchOrderRequest,
	stream grpc.ServerStreamingServer[ordersv1.WatchOrderResponse],
) error {
	for n := req.GetAfter() + 1; n <= 3; n++ {
		if err := stream.Send(&ordersv1.WatchOrderResponse{Number: n}); err != nil {
			return err
		}
	}
	return nil
}

func (tracked) ImportOrders(
	stream grpc.ClientStreamingServer[ordersv1.ImportOrdersRequest, ordersv1.ImportOrdersResponse],
) error {
	var n uint32
	for {
		if _, err := stream.Recv(); errors.Is(err, io.EOF) {
			return stream.SendAndClose(&ordersv1.ImportOrdersResponse{Imported: n})
		} else if err != nil {
			return err
		}
		n++
	}
}

// A stream of an App that is tried again is one call, with a span for each attempt.
func TestStreamsAreRetriedAndTraced(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		use  func(ctx context.Context, orders ordersv1.OrdersServiceClient) error
	}{
		{watchOrder, func(ctx context.Context, orders ordersv1.OrdersServiceClient) error {
			stream, err := retry.Resume(ctx, func(ctx context.Context, last *ordersv1.WatchOrderResponse) (grpc.ServerStreamingClient[ordersv1.WatchOrderResponse], error) {
				return orders.WatchOrder(ctx, &ordersv1.WatchOrderRequest{After: last.GetNumber()})
			})
			for n := uint64(1); err == nil; n++ {
				var m *ordersv1.WatchOrderResponse
				if m, err = stream.Recv(); err == nil && m.GetNumber() != n {
					return fmt.Errorf("received %d instead of %d", m.GetNumber(), n)
				}
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}},
		{importOrders, func(ctx context.Context, orders ordersv1.OrdersServiceClient) error {
			stream, err := orders.ImportOrders(ctx)
			if err != nil {
				return err
			}
			for range 3 {
				if err := stream.Send(&ordersv1.ImportOrdersRequest{}); err != nil {
					return err
				}
				synctest.Wait()
			}
			reply, err := stream.CloseAndRecv()
			if err == nil && reply.GetImported() != 3 {
				return fmt.Errorf("%d orders were taken", reply.GetImported())
			}
			return err
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n := frameworktest.NewNetwork(t)
				faults := frameworktest.NewFaults().Fail(test.name, 2, codes.Unavailable)
				ordersv1.RegisterOrdersServiceServer(n.Server(n.App("orders"), faults.Option()), tracked{})
				n.Start()
				if err := test.use(t.Context(), ordersv1.NewOrdersServiceClient(n.App("web").Client("orders"))); err != nil {
					t.Fatal(err)
				}
				if got := faults.Calls(test.name); got != 3 {
					t.Errorf("the server saw %d attempts, want 3", got)
				}
				calls := n.Calls()
				if len(calls) != 1 || calls[0].Status != "OK" || calls[0].Outcome != "recovered" || len(calls[0].Attempts) != 3 ||
					len(calls[0].Waits) != 2 {
					t.Errorf("the calls are %+v, want one that recovered, with three attempts and two waits", calls)
				}
			})
		})
	}
}

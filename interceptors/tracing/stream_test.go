package tracing_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	ordersv1 "github.com/parley-rpc/parley/gen/shop/orders/v1"
)

// TestStreamSpans says which spans a stream leaves behind, for every way in which its user can be done with it.
func TestStreamSpans(t *testing.T) {
	for _, test := range []struct {
		name string
		setup
		use  func(ctx context.Context, r *rig) error
		code codes.Code
		want string
	}{
		{
			name: "server stream read to its end", setup: setup{shop: obliging()},
			use: func(ctx context.Context, r *rig) error {
				stream, err := r.orders.WatchOrder(ctx, &ordersv1.WatchOrderRequest{})
				return errors.Join(err, drain(stream))
			},
			want: `
				CLIENT WatchOrder | parley.attempts=1 rpc.status_code=OK
				  CLIENT Attempt WatchOrder | network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=OK
				    SERVER WatchOrder | rpc.status_code=OK`,
		}, {
			name: "server stream that fails", code: codes.DataLoss,
			setup: setup{shop: &shop{watch: func(grpc.ServerStreamingServer[ordersv1.WatchOrderResponse]) error {
				return status.Error(codes.DataLoss, "gone")
			}}},
			use: func(ctx context.Context, r *rig) error {
				stream, err := r.orders.WatchOrder(ctx, &ordersv1.WatchOrderRequest{})
				if err != nil {
					return err
				}
				return drain(stream)
			},
			want: `
				CLIENT WatchOrder Error(gone) | error.type=DATA_LOSS parley.attempts=1 rpc.status_code=DATA_LOSS
				  CLIENT Attempt WatchOrder Error(gone) | error.type=DATA_LOSS network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=DATA_LOSS
				    SERVER WatchOrder Error(gone) | error.type=DATA_LOSS rpc.status_code=DATA_LOSS`,
		}, {
			name: "server stream whose headers are all that is asked for", code: codes.OK,
			setup: setup{shop: &shop{watch: func(grpc.ServerStreamingServer[ordersv1.WatchOrderResponse]) error { return nil }}},
			use: func(ctx context.Context, r *rig) error {
				stream, err := r.orders.WatchOrder(ctx, &ordersv1.WatchOrderRequest{})
				if err == nil {
					_, err = stream.Header()
				}
				return err
			},
			want: `
				CLIENT WatchOrder | parley.attempts=1 rpc.status_code=OK
				  CLIENT Attempt WatchOrder | network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=OK
				    SERVER WatchOrder | rpc.status_code=OK`,
		}, {
			name: "client stream with its one response", setup: setup{shop: obliging()},
			use: func(ctx context.Context, r *rig) error {
				stream, err := r.orders.ImportOrders(ctx)
				if err != nil {
					return err
				}
				for range 3 {
					if err := stream.Send(&ordersv1.ImportOrdersRequest{}); err != nil {
						return err
					}
				}
				_, err = stream.CloseAndRecv()
				return err
			},
			want: `
				CLIENT ImportOrders | parley.attempts=1 rpc.status_code=OK
				  CLIENT Attempt ImportOrders | network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=OK
				    SERVER ImportOrders | rpc.status_code=OK`,
		}, {
			name: "exchange in both directions", setup: setup{shop: obliging()},
			use: func(ctx context.Context, r *rig) error {
				stream, err := r.orders.Negotiate(ctx)
				if err != nil {
					return err
				}
				for range 3 {
					if err := stream.Send(&ordersv1.NegotiateRequest{}); err != nil {
						return err
					}
					if _, err := stream.Recv(); err != nil {
						return err
					}
				}
				return errors.Join(stream.CloseSend(), drain(stream))
			},
			want: `
				CLIENT Negotiate | parley.attempts=1 rpc.status_code=OK
				  CLIENT Attempt Negotiate | network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=OK
				    SERVER Negotiate | rpc.status_code=OK`,
		}, {
			name: "half read, then cancelled", setup: setup{shop: endless()},
			use: func(ctx context.Context, r *rig) error {
				ctx, cancel := context.WithCancel(ctx)
				defer cancel()
				stream, err := r.orders.WatchOrder(ctx, &ordersv1.WatchOrderRequest{})
				if err == nil {
					_, err = stream.Recv()
				}
				return err
			},
			want: `
				CLIENT WatchOrder Error(context canceled) | error.type=CANCELLED parley.attempts=1 rpc.status_code=CANCELLED
				  CLIENT Attempt WatchOrder Error(context canceled) | error.type=CANCELLED network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=CANCELLED
				    SERVER WatchOrder | rpc.status_code=CANCELLED`,
		}, {
			name: "half read, then forgotten with its connection", setup: setup{shop: endless()},
			use: func(ctx context.Context, r *rig) error {
				stream, err := r.orders.WatchOrder(ctx, &ordersv1.WatchOrderRequest{})
				if err == nil {
					_, err = stream.Recv()
				}
				return errors.Join(err, r.cc.Close())
			},
			want: `
				CLIENT WatchOrder Error(grpc: the client connection is closing) | error.type=CANCELLED parley.attempts=1 rpc.status_code=CANCELLED
				  CLIENT Attempt WatchOrder Error(grpc: the client connection is closing) | error.type=CANCELLED network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=CANCELLED
				    SERVER WatchOrder | rpc.status_code=CANCELLED`,
		}, {
			name:  "half read, then forgotten until a deadline that was set below the call",
			setup: setup{shop: endless(), streams: []grpc.StreamClientInterceptor{hurry}},
			use: func(ctx context.Context, r *rig) error {
				stream, err := r.orders.WatchOrder(ctx, &ordersv1.WatchOrderRequest{})
				if err == nil {
					_, err = stream.Recv()
				}
				return err
			},
			want: `
				CLIENT WatchOrder Error(context deadline exceeded) | error.type=DEADLINE_EXCEEDED parley.attempts=1 rpc.status_code=DEADLINE_EXCEEDED
				  CLIENT Attempt WatchOrder Error(context deadline exceeded) | error.type=DEADLINE_EXCEEDED network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=DEADLINE_EXCEEDED
				    SERVER WatchOrder | rpc.status_code=CANCELLED`,
		}, {
			name: "cancelled while somebody receives", setup: setup{shop: endless()}, code: codes.Canceled,
			use: func(ctx context.Context, r *rig) error {
				ctx, cancel := context.WithCancel(ctx)
				defer cancel()
				stream, err := r.orders.WatchOrder(ctx, &ordersv1.WatchOrderRequest{})
				if err != nil {
					return err
				}
				time.AfterFunc(time.Second, cancel)
				return drain(stream)
			},
			want: `
				CLIENT WatchOrder Error(context canceled) | error.type=CANCELLED parley.attempts=1 rpc.status_code=CANCELLED
				  CLIENT Attempt WatchOrder Error(context canceled) | error.type=CANCELLED network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=CANCELLED
				    SERVER WatchOrder | rpc.status_code=CANCELLED`,
		}, {
			name: "past its deadline before anything was sent", setup: setup{shop: obliging()}, code: codes.DeadlineExceeded,
			use: func(ctx context.Context, r *rig) error {
				ctx, cancel := context.WithTimeout(ctx, -1)
				defer cancel()
				_, err := r.orders.WatchOrder(ctx, &ordersv1.WatchOrderRequest{})
				return err
			},
			want: `
				CLIENT WatchOrder Error(context deadline exceeded) | error.type=DEADLINE_EXCEEDED parley.attempts=1 rpc.status_code=DEADLINE_EXCEEDED
				  CLIENT Attempt WatchOrder Error(context deadline exceeded) | error.type=DEADLINE_EXCEEDED previous-rpc-attempts=0 rpc.status_code=DEADLINE_EXCEEDED`,
		}, {
			name: "opened by the third attempt", setup: setup{shop: obliging(), streams: []grpc.StreamClientInterceptor{reopen}},
			use: func(ctx context.Context, r *rig) error {
				stream, err := r.orders.WatchOrder(ctx, &ordersv1.WatchOrderRequest{})
				return errors.Join(err, drain(stream))
			},
			want: `
				CLIENT WatchOrder | parley.attempts=3 rpc.status_code=OK
				  CLIENT Attempt WatchOrder Error(context canceled) | error.type=CANCELLED previous-rpc-attempts=0 rpc.status_code=CANCELLED
				  CLIENT Attempt WatchOrder Error(context canceled) | error.type=CANCELLED previous-rpc-attempts=1 rpc.status_code=CANCELLED
				  CLIENT Attempt WatchOrder | network.peer.address=bufconn previous-rpc-attempts=2 rpc.status_code=OK
				    SERVER WatchOrder | rpc.status_code=OK`,
		}, {
			name: "message that cannot be sent", setup: setup{shop: obliging()}, code: codes.ResourceExhausted,
			use: func(ctx context.Context, r *rig) error {
				stream, err := r.orders.Negotiate(ctx, grpc.MaxCallSendMsgSize(1))
				if err != nil {
					return err
				}
				return stream.Send(&ordersv1.NegotiateRequest{MinorUnits: 1 << 40})
			},
			want: `
				CLIENT Negotiate Error(trying to send message larger than max (7 vs. 1)) | error.type=RESOURCE_EXHAUSTED parley.attempts=1 rpc.status_code=RESOURCE_EXHAUSTED
				  CLIENT Attempt Negotiate Error(trying to send message larger than max (7 vs. 1)) | error.type=RESOURCE_EXHAUSTED network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=RESOURCE_EXHAUSTED
				    SERVER Negotiate | rpc.status_code=CANCELLED`,
		},
	} {
		bubble(t, test.name, func(t *testing.T) {
			r := newRig(t, test.setup)
			// A context that never ends, as most of them: nothing but the stream itself can end the spans.
			if err := test.use(context.Background(), r); status.Code(err) != test.code {
				t.Fatalf("%v, want %v", err, test.code)
			}
			r.wantTree(test.want)
		})
	}
}

package tracing_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/attempt"
	ordersv1 "github.com/parley-rpc/parley/gen/shop/orders/v1"
	"github.com/parley-rpc/parley/interceptors/tracing"
)

// obliging streams three messages either way, and then succeeds.
func obliging() *shop {
	return &shop{
		watch: func(stream grpc.ServerStreamingServer[ordersv1.WatchOrderResponse]) error {
			for range 3 {
				if err := stream.Send(&ordersv1.WatchOrderResponse{}); err != nil {
					return err
				}
			}
			return nil
		},
		imports: func(stream grpc.ClientStreamingServer[ordersv1.ImportOrdersRequest, ordersv1.ImportOrdersResponse]) error {
			for {
				if _, err := stream.Recv(); errors.Is(err, io.EOF) {
					return stream.SendAndClose(&ordersv1.ImportOrdersResponse{})
				} else if err != nil {
					return err
				}
			}
		},
		negotiate: func(stream grpc.BidiStreamingServer[ordersv1.NegotiateRequest, ordersv1.NegotiateResponse]) error {
			for {
				if _, err := stream.Recv(); errors.Is(err, io.EOF) {
					return nil
				} else if err != nil {
					return err
				}
				if err := stream.Send(&ordersv1.NegotiateResponse{}); err != nil {
					return err
				}
			}
		},
	}
}

// endless sends one message and then waits for the end of its context.
func endless() *shop {
	s := obliging()
	s.watch = func(stream grpc.ServerStreamingServer[ordersv1.WatchOrderResponse]) error {
		if err := stream.Send(&ordersv1.WatchOrderResponse{}); err != nil {
			return err
		}
		<-stream.Context().Done()
		return status.Error(codes.Canceled, "the client is gone")
	}
	return s
}

// TestStreamWithoutAttempts says that a call ends by itself where nothing watches its attempts.
func TestStreamWithoutAttempts(t *testing.T) {
	callOnly := func(t *tracing.Tracer) []grpc.DialOption { return t.DialOptions() }
	bubble(t, "one response", func(t *testing.T) {
		r := newRig(t, setup{shop: obliging(), dialing: callOnly})
		stream, err := r.orders.ImportOrders(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.CloseAndRecv(); err != nil {
			t.Fatal(err)
		}
		r.wantTree(`
				CLIENT ImportOrders | parley.attempts=0 rpc.status_code=OK
				SERVER ImportOrders | rpc.status_code=OK`)
	})
	bubble(t, "half read, then cancelled", func(t *testing.T) {
		r := newRig(t, setup{shop: endless(), dialing: callOnly})
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		stream, err := r.orders.WatchOrder(ctx, &ordersv1.WatchOrderRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
		cancel()
		r.wantTree(`
				CLIENT WatchOrder Error(context canceled) | error.type=CANCELLED parley.attempts=0 rpc.status_code=CANCELLED
				SERVER WatchOrder | rpc.status_code=CANCELLED`)
	})
}

// hurry gives a stream a second.
func hurry(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer,
	opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	ctx, cancel := withTimeout(ctx, time.Second)
	context.AfterFunc(ctx, cancel)
	return streamer(ctx, desc, cc, method, opts...)
}

// reopen opens a stream three times; the first two attempts are cancelled before they begin.
func reopen(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer,
	opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	for number := 1; ; number++ {
		ctx, _ := attempt.NewContext(ctx, number, false, nil)
		sub, cancel := context.WithCancel(ctx)
		if number < 3 {
			cancel()
		}
		stream, err := streamer(sub, desc, cc, method, opts...)
		if err == nil || number == 3 {
			context.AfterFunc(ctx, cancel)
			return stream, err
		}
	}
}

// TestAbandonedAttempts says that attempts which a retry cancels and forgets do not end a call that goes on.
func TestAbandonedAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		supersede := func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string,
			streamer grpc.Streamer, opts ...grpc.CallOption,
		) (grpc.ClientStream, error) {
			first, _ := attempt.NewContext(ctx, 1, false, nil)
			first, cancel := context.WithCancel(first)
			defer cancel()
			if _, err := streamer(first, desc, cc, method, opts...); err != nil {
				return nil, err
			}
			cancel()
			synctest.Wait() // gRPC has let go of the first attempt
			second, _ := attempt.NewContext(ctx, 2, false, nil)
			return streamer(second, desc, cc, method, opts...)
		}
		r := newRig(t, setup{shop: obliging(), streams: []grpc.StreamClientInterceptor{supersede}})
		stream, err := r.orders.Negotiate(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := stream.Send(&ordersv1.NegotiateRequest{}); err != nil {
				t.Fatal(err)
			}
			if _, err := stream.Recv(); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(stream.CloseSend(), drain(stream)); err != nil {
			t.Fatal(err)
		}
		r.wantTree(`
				CLIENT Negotiate | parley.attempts=2 rpc.status_code=OK
				  CLIENT Attempt Negotiate Error(context canceled) | error.type=CANCELLED network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=CANCELLED
				    SERVER Negotiate | rpc.status_code=CANCELLED
				  CLIENT Attempt Negotiate | network.peer.address=bufconn previous-rpc-attempts=1 rpc.status_code=OK
				    SERVER Negotiate | rpc.status_code=OK`)
	})
}

// TestChildEndsBeforeParent says that a call outlasts its attempts, also where nothing waits for either.
func TestChildEndsBeforeParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, setup{shop: endless()})
		ctx, cancel := context.WithCancel(context.Background())
		stream, err := r.orders.WatchOrder(ctx, &ordersv1.WatchOrderRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
		cancel()
		synctest.Wait()
		call := r.span(trace.SpanKindClient, ordersService+"WatchOrder")
		for _, s := range r.recorder.Ended() {
			if s.SpanKind() == trace.SpanKindClient && s.SpanContext().SpanID() == call.SpanContext().SpanID() {
				break
			} else if s.Parent().SpanID() == call.SpanContext().SpanID() {
				return
			}
		}
		t.Error("the call ended before its attempt")
	})
}

package tracing_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/attempt"
	ordersv1 "github.com/parley-rpc/parley/gen/shop/orders/v1"
	"github.com/parley-rpc/parley/interceptors/tracing"
)

// TestUnarySpans says which spans a unary call leaves behind, for every way in which it can end.
func TestUnarySpans(t *testing.T) {
	failing := func(errs ...error) *shop {
		return &shop{get: func(context.Context) error {
			err := errs[0]
			if len(errs) > 1 {
				errs = errs[1:]
			}
			return err
		}}
	}
	hang := &shop{get: func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}}
	slow := &shop{get: func(context.Context) error {
		time.Sleep(time.Minute)
		return nil
	}}
	down := status.Error(codes.Unavailable, "down")
	background := func() (context.Context, context.CancelFunc) { return context.Background(), func() {} }
	after := func(d time.Duration) func() (context.Context, context.CancelFunc) {
		return func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(d, cancel)
			return ctx, cancel
		}
	}
	within := func(d time.Duration) func() (context.Context, context.CancelFunc) {
		return func() (context.Context, context.CancelFunc) { return withTimeout(context.Background(), d) }
	}
	for _, test := range []struct {
		name string
		setup
		ctx  func() (context.Context, context.CancelFunc)
		code codes.Code
		want string
	}{
		{
			name: "clean", ctx: background, code: codes.OK,
			want: `
				CLIENT GetOrder | parley.attempts=1 rpc.status_code=OK
				  CLIENT Attempt GetOrder | network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=OK
				    SERVER GetOrder | rpc.status_code=OK`,
		}, {
			name: "failed", setup: setup{shop: failing(down)}, ctx: background, code: codes.Unavailable,
			want: `
				CLIENT GetOrder Error(down) | error.type=UNAVAILABLE parley.attempts=1 rpc.status_code=UNAVAILABLE
				  CLIENT Attempt GetOrder Error(down) | error.type=UNAVAILABLE network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=UNAVAILABLE
				    SERVER GetOrder Error(down) | error.type=UNAVAILABLE rpc.status_code=UNAVAILABLE`,
		}, {
			name:  "recovered by the third attempt",
			setup: setup{shop: failing(down, down, nil), calls: []grpc.UnaryClientInterceptor{again(3)}},
			ctx:   background, code: codes.OK,
			want: `
				CLIENT GetOrder | parley.attempts=3 rpc.status_code=OK
				  CLIENT Attempt GetOrder Error(down) | error.type=UNAVAILABLE network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=UNAVAILABLE
				    SERVER GetOrder Error(down) | error.type=UNAVAILABLE rpc.status_code=UNAVAILABLE
				  CLIENT Attempt GetOrder Error(down) | error.type=UNAVAILABLE network.peer.address=bufconn previous-rpc-attempts=1 rpc.status_code=UNAVAILABLE
				    SERVER GetOrder Error(down) | error.type=UNAVAILABLE rpc.status_code=UNAVAILABLE
				  CLIENT Attempt GetOrder | network.peer.address=bufconn previous-rpc-attempts=2 rpc.status_code=OK
				    SERVER GetOrder | rpc.status_code=OK`,
		}, {
			name:  "hedged",
			setup: setup{calls: []grpc.UnaryClientInterceptor{hedge}},
			ctx:   background, code: codes.OK,
			want: `
				CLIENT GetOrder | parley.attempts=2 rpc.status_code=OK
				  CLIENT Attempt GetOrder | network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=OK
				    SERVER GetOrder | rpc.status_code=OK
				  CLIENT Attempt GetOrder | network.peer.address=bufconn parley.hedge=true previous-rpc-attempts=1 rpc.status_code=OK
				    SERVER GetOrder | rpc.status_code=OK`,
		}, {
			name: "cancelled by the caller", setup: setup{shop: hang}, ctx: after(time.Second), code: codes.Canceled,
			want: `
				CLIENT GetOrder Error(context canceled) | error.type=CANCELLED parley.attempts=1 rpc.status_code=CANCELLED
				  CLIENT Attempt GetOrder Error(context canceled) | error.type=CANCELLED network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=CANCELLED
				    SERVER GetOrder | rpc.status_code=CANCELLED`,
		}, {
			name: "past its deadline", setup: setup{shop: slow}, ctx: within(time.Second), code: codes.DeadlineExceeded,
			want: `
				CLIENT GetOrder Error(context deadline exceeded) | error.type=DEADLINE_EXCEEDED parley.attempts=1 rpc.status_code=DEADLINE_EXCEEDED
				  CLIENT Attempt GetOrder Error(context deadline exceeded) | error.type=DEADLINE_EXCEEDED network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=DEADLINE_EXCEEDED
				    SERVER GetOrder | rpc.status_code=OK`,
		}, {
			name: "past the deadline of the server", setup: setup{shop: failing(context.DeadlineExceeded)}, ctx: background,
			code: codes.DeadlineExceeded,
			want: `
				CLIENT GetOrder Error(context deadline exceeded) | error.type=DEADLINE_EXCEEDED parley.attempts=1 rpc.status_code=DEADLINE_EXCEEDED
				  CLIENT Attempt GetOrder Error(context deadline exceeded) | error.type=DEADLINE_EXCEEDED network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=DEADLINE_EXCEEDED
				    SERVER GetOrder Error(context deadline exceeded) | error.type=DEADLINE_EXCEEDED rpc.status_code=DEADLINE_EXCEEDED`,
		}, {
			name: "past its deadline before anything was sent", ctx: within(-1), code: codes.DeadlineExceeded,
			want: `
				CLIENT GetOrder Error(context deadline exceeded) | error.type=DEADLINE_EXCEEDED parley.attempts=1 rpc.status_code=DEADLINE_EXCEEDED
				  CLIENT Attempt GetOrder Error(context deadline exceeded) | error.type=DEADLINE_EXCEEDED previous-rpc-attempts=0 rpc.status_code=DEADLINE_EXCEEDED`,
		}, {
			name:  "given up before an attempt",
			setup: setup{calls: []grpc.UnaryClientInterceptor{refuse}},
			ctx:   background, code: codes.DeadlineExceeded,
			want: `
				CLIENT GetOrder Error(no time left) | error.type=DEADLINE_EXCEEDED parley.attempts=0 rpc.status_code=DEADLINE_EXCEEDED`,
		}, {
			name: "refused by the server, which is no error of the server", ctx: background, code: codes.Unauthenticated,
			setup: setup{shop: failing(status.Error(codes.Unauthenticated, "who are you"))},
			want: `
				CLIENT GetOrder Error(who are you) | error.type=UNAUTHENTICATED parley.attempts=1 rpc.status_code=UNAUTHENTICATED
				  CLIENT Attempt GetOrder Error(who are you) | error.type=UNAUTHENTICATED network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=UNAUTHENTICATED
				    SERVER GetOrder | rpc.status_code=UNAUTHENTICATED`,
		}, {
			name: "failed without a status", ctx: background, code: codes.Unknown,
			setup: setup{shop: failing(errors.New("oops"))},
			want: `
				CLIENT GetOrder Error(oops) | error.type=UNKNOWN parley.attempts=1 rpc.status_code=UNKNOWN
				  CLIENT Attempt GetOrder Error(oops) | error.type=UNKNOWN network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=UNKNOWN
				    SERVER GetOrder Error(oops) | error.type=UNKNOWN rpc.status_code=UNKNOWN`,
		},
	} {
		bubble(t, test.name, func(t *testing.T) {
			r := newRig(t, test.setup)
			ctx, cancel := test.ctx()
			defer cancel()
			if _, err := r.orders.GetOrder(ctx, &ordersv1.GetOrderRequest{}); status.Code(err) != test.code {
				t.Fatalf("GetOrder: %v, want %v", err, test.code)
			}
			r.wantTree(test.want)
		})
	}
}

// hedge makes two attempts one after the other, and calls the second a hedge.
func hedge(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker,
	opts ...grpc.CallOption,
) error {
	first, _ := attempt.NewContext(ctx, 1, false, nil)
	second, _ := attempt.NewContext(ctx, 2, true, nil)
	return errors.Join(invoker(first, method, req, reply, cc, opts...), invoker(second, method, req, reply, cc, opts...))
}

// refuse makes no attempt.
func refuse(context.Context, string, any, any, *grpc.ClientConn, grpc.UnaryInvoker, ...grpc.CallOption) error {
	return status.Error(codes.DeadlineExceeded, "no time left")
}

// TestPanicEndsSpans says that a panic on either side ends the spans that it passes, and goes on.
func TestPanicEndsSpans(t *testing.T) {
	swallowed := func(t *testing.T, run func()) {
		t.Helper()
		defer func() {
			if recover() != "burst" {
				t.Error("the panic was swallowed")
			}
		}()
		run()
	}
	bubble(t, "client", func(t *testing.T) {
		burst := func(context.Context, string, any, any, *grpc.ClientConn, grpc.UnaryInvoker, ...grpc.CallOption) error {
			panic("burst")
		}
		r := newRig(t, setup{calls: []grpc.UnaryClientInterceptor{burst}})
		swallowed(t, func() { _, _ = r.orders.GetOrder(t.Context(), &ordersv1.GetOrderRequest{}) })
		r.wantTree(`
				CLIENT GetOrder Error(panic) | error.type=INTERNAL parley.attempts=0 rpc.status_code=INTERNAL`)
	})
	bubble(t, "attempt", func(t *testing.T) {
		burst := func(context.Context, string, any, any, *grpc.ClientConn, grpc.UnaryInvoker, ...grpc.CallOption) error {
			panic("burst")
		}
		r := newRig(t, setup{dialing: func(t *tracing.Tracer) []grpc.DialOption {
			return slices.Concat(t.DialOptions(), t.AttemptDialOptions(),
				[]grpc.DialOption{grpc.WithChainUnaryInterceptor(burst)})
		}})
		swallowed(t, func() { _, _ = r.orders.GetOrder(t.Context(), &ordersv1.GetOrderRequest{}) })
		r.wantTree(`
				CLIENT GetOrder Error(panic) | error.type=INTERNAL parley.attempts=1 rpc.status_code=INTERNAL
				  CLIENT Attempt GetOrder Error(panic) | error.type=INTERNAL previous-rpc-attempts=0 rpc.status_code=INTERNAL`)
	})
	bubble(t, "client stream", func(t *testing.T) {
		burst := func(context.Context, *grpc.StreamDesc, *grpc.ClientConn, string, grpc.Streamer,
			...grpc.CallOption,
		) (grpc.ClientStream, error) {
			panic("burst")
		}
		r := newRig(t, setup{streams: []grpc.StreamClientInterceptor{burst}})
		swallowed(t, func() { _, _ = r.orders.Negotiate(t.Context()) })
		r.wantTree(`
				CLIENT Negotiate Error(panic) | error.type=INTERNAL parley.attempts=0 rpc.status_code=INTERNAL`)
	})
	bubble(t, "server", func(t *testing.T) {
		survive := func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (reply any,
			err error,
		) {
			defer func() {
				if r := recover(); r != nil {
					err = status.Errorf(codes.Internal, "survived a %v", r)
				}
			}()
			return handler(ctx, req)
		}
		burst := &shop{get: func(context.Context) error { panic("burst") }}
		r := newRig(t, setup{shop: burst, outside: []grpc.UnaryServerInterceptor{survive}})
		if _, err := r.orders.GetOrder(t.Context(),
			&ordersv1.GetOrderRequest{}); status.Convert(err).Message() != "survived a burst" {
			t.Error(err)
		}
		r.wantTree(`
				CLIENT GetOrder Error(survived a burst) | error.type=INTERNAL parley.attempts=1 rpc.status_code=INTERNAL
				  CLIENT Attempt GetOrder Error(survived a burst) | error.type=INTERNAL network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=INTERNAL
				    SERVER GetOrder Error(panic) | error.type=INTERNAL rpc.status_code=INTERNAL`)
	})
}

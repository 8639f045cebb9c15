package tracing_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	ordersv1 "github.com/parley-rpc/parley/gen/shop/orders/v1"
	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/interceptors/tracing"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/rpcerr"
)

// inTurn answers one attempt after the other; the last answer stands for all that follow.
func inTurn(answers ...func(context.Context) error) func(context.Context) error {
	var asked atomic.Int64
	return func(ctx context.Context) error {
		return answers[min(int(asked.Add(1)), len(answers))-1](ctx)
	}
}

func ok(context.Context) error { return nil }

func down(context.Context) error { return status.Error(codes.Unavailable, "down") }

func hang(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// stubborn does not notice that its time is up, so that the client alone acts at that very instant.
func stubborn(context.Context) error {
	time.Sleep(time.Minute)
	return nil
}

func pushBack(wait time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := rpcerr.SetPushback(ctx, wait); err != nil {
			return err
		}
		return down(ctx)
	}
}

func get(ctx context.Context, r *rig) error {
	_, err := r.orders.GetOrder(ctx, &ordersv1.GetOrderRequest{})
	return err
}

func watchAll(ctx context.Context, r *rig) error {
	stream, err := r.orders.WatchOrder(ctx, &ordersv1.WatchOrderRequest{})
	if err != nil {
		return err
	}
	return drain(stream)
}

// TestEveryOutcome says which spans, attributes, statuses and events a call leaves behind together with retry, for
// every way in which retrying can end. That every span ends is checked by the rig.
func TestEveryOutcome(t *testing.T) {
	const method = "/shop.orders.v1.OrdersService/GetOrder"
	refuse := grpc.ChainUnaryInterceptor(func(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any,
		error,
	) {
		return nil, rpcerr.New(rpcerr.PolicyDenied, "the caller may not do this", nil)
	})
	for _, test := range []struct {
		name   string
		shop   *shop
		server []grpc.ServerOption
		budget retry.Budget
		policy *policyv1.Policy
		limit  time.Duration
		cancel time.Duration
		call   func(context.Context, *rig) error // default: get
		code   codes.Code
		want   string
	}{
		{
			name: "clean", shop: &shop{}, code: codes.OK,
			want: `
				CLIENT GetOrder | parley.attempts=1 parley.deadline=2 parley.retry.delay=0 parley.retry.outcome=none parley.retry.stop_reason=ok rpc.status_code=OK
				  CLIENT Attempt GetOrder | network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=OK
				    SERVER GetOrder | rpc.status_code=OK
			`,
		},
		{
			name: "recovered", shop: &shop{get: inTurn(down, down, ok)}, code: codes.OK,
			want: `
				CLIENT GetOrder | parley.attempts=3 parley.deadline=2 parley.retry.delay=0.075 parley.retry.outcome=recovered parley.retry.stop_reason=ok rpc.status_code=OK
				  * retry.scheduled next_attempt=2 backoff_s=0.025 cause=UNAVAILABLE source=policy endpoint=bufconn
				  * retry.scheduled next_attempt=3 backoff_s=0.05 cause=UNAVAILABLE source=policy endpoint=bufconn
				  CLIENT Attempt GetOrder Error(down) | error.type=UNAVAILABLE network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=UNAVAILABLE
				    SERVER GetOrder Error(down) | error.type=UNAVAILABLE rpc.status_code=UNAVAILABLE
				  CLIENT Attempt GetOrder Error(down) | error.type=UNAVAILABLE network.peer.address=bufconn previous-rpc-attempts=1 rpc.status_code=UNAVAILABLE
				    SERVER GetOrder Error(down) | error.type=UNAVAILABLE previous-rpc-attempts=1 rpc.status_code=UNAVAILABLE
				  CLIENT Attempt GetOrder | network.peer.address=bufconn previous-rpc-attempts=2 rpc.status_code=OK
				    SERVER GetOrder | previous-rpc-attempts=2 rpc.status_code=OK
			`,
		},
		{
			name: "attempts exhausted", shop: &shop{get: down}, code: codes.Unavailable,
			want: `
				CLIENT GetOrder Error(down) | error.type=UNAVAILABLE parley.attempts=3 parley.deadline=2 parley.retry.delay=0.075 parley.retry.outcome=attempts_exhausted parley.retry.stop_reason=attempts_exhausted rpc.status_code=UNAVAILABLE
				  * retry.scheduled next_attempt=2 backoff_s=0.025 cause=UNAVAILABLE source=policy endpoint=bufconn
				  * retry.scheduled next_attempt=3 backoff_s=0.05 cause=UNAVAILABLE source=policy endpoint=bufconn
				  * retry.exhausted reason=attempts_exhausted endpoint=bufconn
				  CLIENT Attempt GetOrder Error(down) | error.type=UNAVAILABLE network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=UNAVAILABLE
				    SERVER GetOrder Error(down) | error.type=UNAVAILABLE rpc.status_code=UNAVAILABLE
				  CLIENT Attempt GetOrder Error(down) | error.type=UNAVAILABLE network.peer.address=bufconn previous-rpc-attempts=1 rpc.status_code=UNAVAILABLE
				    SERVER GetOrder Error(down) | error.type=UNAVAILABLE previous-rpc-attempts=1 rpc.status_code=UNAVAILABLE
				  CLIENT Attempt GetOrder Error(down) | error.type=UNAVAILABLE network.peer.address=bufconn previous-rpc-attempts=2 rpc.status_code=UNAVAILABLE
				    SERVER GetOrder Error(down) | error.type=UNAVAILABLE previous-rpc-attempts=2 rpc.status_code=UNAVAILABLE
			`,
		},
		{
			name: "budget empty", shop: &shop{get: down}, budget: retry.Budget{Max: 1}, code: codes.Unavailable,
			want: `
				CLIENT GetOrder Error(down) | error.type=UNAVAILABLE parley.attempts=2 parley.deadline=2 parley.retry.delay=0.025 parley.retry.outcome=budget parley.retry.stop_reason=budget rpc.status_code=UNAVAILABLE
				  * retry.scheduled next_attempt=2 backoff_s=0.025 cause=UNAVAILABLE source=policy endpoint=bufconn
				  * retry.exhausted reason=budget endpoint=bufconn
				  CLIENT Attempt GetOrder Error(down) | error.type=UNAVAILABLE network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=UNAVAILABLE
				    SERVER GetOrder Error(down) | error.type=UNAVAILABLE rpc.status_code=UNAVAILABLE
				  CLIENT Attempt GetOrder Error(down) | error.type=UNAVAILABLE network.peer.address=bufconn previous-rpc-attempts=1 rpc.status_code=UNAVAILABLE
				    SERVER GetOrder Error(down) | error.type=UNAVAILABLE previous-rpc-attempts=1 rpc.status_code=UNAVAILABLE
			`,
		},
		{
			name: "pushback asks for a wait", shop: &shop{get: inTurn(pushBack(30*time.Millisecond), ok)}, code: codes.OK,
			want: `
				CLIENT GetOrder | parley.attempts=2 parley.deadline=2 parley.retry.delay=0.0315 parley.retry.outcome=recovered parley.retry.stop_reason=ok rpc.status_code=OK
				  * retry.pushback ms=30
				  * retry.scheduled next_attempt=2 backoff_s=0.0315 cause=UNAVAILABLE source=pushback endpoint=bufconn
				  CLIENT Attempt GetOrder Error(down) | error.type=UNAVAILABLE network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=UNAVAILABLE
				    SERVER GetOrder Error(down) | error.type=UNAVAILABLE rpc.status_code=UNAVAILABLE
				  CLIENT Attempt GetOrder | network.peer.address=bufconn previous-rpc-attempts=1 rpc.status_code=OK
				    SERVER GetOrder | previous-rpc-attempts=1 rpc.status_code=OK
			`,
		},
		{
			name: "pushback forbids", shop: &shop{get: pushBack(-1)}, code: codes.Unavailable,
			want: `
				CLIENT GetOrder Error(down) | error.type=UNAVAILABLE parley.attempts=1 parley.deadline=2 parley.retry.delay=0 parley.retry.outcome=pushback parley.retry.stop_reason=pushback rpc.status_code=UNAVAILABLE
				  * retry.pushback ms=-1
				  * retry.aborted reason=pushback endpoint=bufconn
				  CLIENT Attempt GetOrder Error(down) | error.type=UNAVAILABLE network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=UNAVAILABLE
				    SERVER GetOrder Error(down) | error.type=UNAVAILABLE rpc.status_code=UNAVAILABLE
			`,
		},
		{
			name: "no time for another attempt", shop: &shop{get: down}, limit: 20 * time.Millisecond, code: codes.Unavailable,
			want: `
				CLIENT GetOrder Error(down) | error.type=UNAVAILABLE parley.attempts=1 parley.retry.delay=0 parley.retry.outcome=deadline parley.retry.stop_reason=deadline rpc.status_code=UNAVAILABLE
				  * retry.aborted reason=deadline endpoint=bufconn
				  CLIENT Attempt GetOrder Error(down) | error.type=UNAVAILABLE network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=UNAVAILABLE
				    SERVER GetOrder Error(down) | error.type=UNAVAILABLE rpc.status_code=UNAVAILABLE
			`,
		},
		{
			name: "deadline during an attempt", shop: &shop{get: stubborn}, limit: time.Second, code: codes.DeadlineExceeded,
			want: `
				CLIENT GetOrder Error(the caller's deadline passed after 1 attempt (deadline); last status: DEADLINE_EXCEEDED: context deadline exceeded) | error.type=DEADLINE_EXCEEDED parley.attempts=1 parley.retry.delay=0 parley.retry.outcome=deadline parley.retry.stop_reason=deadline rpc.status_code=DEADLINE_EXCEEDED
				  * retry.aborted reason=deadline endpoint=bufconn
				  CLIENT Attempt GetOrder Error(context deadline exceeded) | error.type=DEADLINE_EXCEEDED network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=DEADLINE_EXCEEDED
				    SERVER GetOrder | rpc.status_code=OK
			`,
		},
		{
			name: "cancelled", shop: &shop{get: hang}, cancel: time.Second, code: codes.Canceled,
			want: `
				CLIENT GetOrder Error(the caller gave up after 1 attempt (canceled); last status: CANCELLED: context canceled) | error.type=CANCELLED parley.attempts=1 parley.deadline=2 parley.retry.delay=0 parley.retry.outcome=canceled parley.retry.stop_reason=canceled rpc.status_code=CANCELLED
				  * retry.aborted reason=canceled endpoint=bufconn
				  CLIENT Attempt GetOrder Error(context canceled) | error.type=CANCELLED network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=CANCELLED
				    SERVER GetOrder | rpc.status_code=CANCELLED
			`,
		},
		{
			name: "hedged", shop: &shop{get: inTurn(hang, ok)}, code: codes.OK,
			policy: &policyv1.Policy{Hedge: &policyv1.Hedge{Delay: durationpb.New(100 * time.Millisecond)}},
			want: `
				CLIENT GetOrder | parley.attempts=2 parley.deadline=2 parley.retry.delay=0 parley.retry.outcome=recovered parley.retry.stop_reason=ok rpc.status_code=OK
				  * retry.hedged next_attempt=2 after_s=0.1
				  CLIENT Attempt GetOrder Error(context canceled) | error.type=CANCELLED network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=CANCELLED
				    SERVER GetOrder | rpc.status_code=CANCELLED
				  CLIENT Attempt GetOrder | network.peer.address=bufconn parley.hedge=true previous-rpc-attempts=1 rpc.status_code=OK
				    SERVER GetOrder | previous-rpc-attempts=1 rpc.status_code=OK
			`,
		},
		{
			name: "refused", shop: &shop{}, server: []grpc.ServerOption{refuse}, code: codes.PermissionDenied,
			want: `
				CLIENT GetOrder Error(the caller may not do this) | error.type=PERMISSION_DENIED parley.attempts=1 parley.deadline=2 parley.retry.delay=0 parley.retry.outcome=not_retryable parley.retry.stop_reason=not_retryable rpc.status_code=PERMISSION_DENIED
				  * retry.aborted reason=not_retryable endpoint=bufconn
				  CLIENT Attempt GetOrder Error(the caller may not do this) | error.type=PERMISSION_DENIED network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=PERMISSION_DENIED
				    SERVER GetOrder | rpc.status_code=PERMISSION_DENIED
			`,
		},
		{
			name: "stream opened again before its first message", call: watchAll, code: codes.OK,
			shop: func() *shop {
				next := inTurn(down, ok)
				return &shop{watch: func(s grpc.ServerStreamingServer[ordersv1.WatchOrderResponse]) error {
					if err := next(s.Context()); err != nil {
						return err
					}
					return s.Send(&ordersv1.WatchOrderResponse{})
				}}
			}(),
			want: `
				CLIENT WatchOrder | parley.attempts=2 parley.retry.delay=0.025 parley.retry.outcome=recovered parley.retry.stop_reason=ok rpc.status_code=OK
				  * retry.scheduled next_attempt=2 backoff_s=0.025 cause=UNAVAILABLE source=policy endpoint=bufconn
				  CLIENT Attempt WatchOrder Error(down) | error.type=UNAVAILABLE network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=UNAVAILABLE
				    SERVER WatchOrder Error(down) | error.type=UNAVAILABLE rpc.status_code=UNAVAILABLE
				  CLIENT Attempt WatchOrder | network.peer.address=bufconn previous-rpc-attempts=1 rpc.status_code=OK
				    SERVER WatchOrder | previous-rpc-attempts=1 rpc.status_code=OK
			`,
		},
		{
			name: "stream committed by its first message", call: watchAll, code: codes.Unavailable,
			shop: &shop{watch: func(s grpc.ServerStreamingServer[ordersv1.WatchOrderResponse]) error {
				if err := s.Send(&ordersv1.WatchOrderResponse{}); err != nil {
					return err
				}
				return down(s.Context())
			}},
			want: `
				CLIENT WatchOrder Error(down) | error.type=UNAVAILABLE parley.attempts=1 parley.retry.delay=0 parley.retry.outcome=committed parley.retry.stop_reason=committed rpc.status_code=UNAVAILABLE
				  * retry.aborted reason=committed endpoint=bufconn
				  CLIENT Attempt WatchOrder Error(down) | error.type=UNAVAILABLE network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=UNAVAILABLE
				    SERVER WatchOrder Error(down) | error.type=UNAVAILABLE rpc.status_code=UNAVAILABLE
			`,
		},
		{
			name: "expired before sending", shop: &shop{}, limit: -time.Second, code: codes.DeadlineExceeded,
			want: `
				CLIENT GetOrder Error(the caller's deadline passed before the first attempt (deadline)) | error.type=DEADLINE_EXCEEDED parley.attempts=0 parley.retry.delay=0 parley.retry.outcome=deadline parley.retry.stop_reason=deadline rpc.status_code=DEADLINE_EXCEEDED
				  * retry.aborted reason=deadline
			`,
		},
		{
			name: "unknown method", shop: &shop{}, code: codes.Unimplemented,
			server: []grpc.ServerOption{grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error {
				return status.Error(codes.Unimplemented, "no such method")
			})},
			call: func(ctx context.Context, r *rig) error {
				return r.cc.Invoke(ctx, "/bogus.Service/Method", &ordersv1.GetOrderRequest{}, &ordersv1.GetOrderResponse{})
			},
			want: `
				CLIENT grpc Error(no such method) | error.type=UNIMPLEMENTED parley.attempts=1 parley.deadline=10 parley.retry.delay=0 parley.retry.outcome=not_retryable parley.retry.stop_reason=not_retryable rpc.method=_OTHER rpc.method_original=/bogus.Service/Method rpc.status_code=UNIMPLEMENTED
				  * retry.aborted reason=not_retryable endpoint=bufconn
				  CLIENT Attempt grpc Error(no such method) | error.type=UNIMPLEMENTED network.peer.address=bufconn previous-rpc-attempts=0 rpc.method=_OTHER rpc.method_original=/bogus.Service/Method rpc.status_code=UNIMPLEMENTED
				    SERVER grpc Error(no such method) | error.type=UNIMPLEMENTED rpc.method=_OTHER rpc.method_original=/bogus.Service/Method rpc.status_code=UNIMPLEMENTED
			`,
		},
	} {
		bubble(t, test.name, func(t *testing.T) {
			var narrowed []policy.Layer
			if test.policy != nil {
				narrowed = append(narrowed, policy.Code(map[string]*policyv1.Policy{method: test.policy}))
			}
			table, err := policy.New(narrowed...)
			if err != nil {
				t.Fatal(err)
			}
			options := []retry.Option{
				retry.WithPolicy(table), retry.WithRandom(func() float64 { return 0.5 }),
				retry.WithEndpoints(func() int { return 2 }),
			}
			if test.budget != (retry.Budget{}) {
				options = append(options, retry.WithBudget(test.budget))
			}
			retrier := retry.New(options...)
			if err := retrier.Check(); err != nil {
				t.Fatal(err)
			}
			r := newRig(t, setup{shop: test.shop, server: test.server, dialing: func(tracer *tracing.Tracer) []grpc.DialOption {
				return slices.Concat(tracer.DialOptions(), retrier.DialOptions(), tracer.AttemptDialOptions())
			}})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if test.limit != 0 {
				ctx, cancel = context.WithTimeout(ctx, test.limit)
				defer cancel()
			}
			if test.cancel > 0 {
				time.AfterFunc(test.cancel, cancel)
			}
			call := test.call
			if call == nil {
				call = get
			}
			if got := call(ctx, r); status.Code(got) != test.code {
				t.Errorf("the caller got %v, want %v", got, test.code)
			}
			r.wantTree(test.want)
			if err := retrier.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

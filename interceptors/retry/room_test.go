package retry_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/rpcerr"
)

// A per-attempt timeout makes room for another attempt. It ends no attempt that nothing can follow: that call works
// without retry, and must not fail with it.
func TestTimeoutOnlyWhereAnotherAttemptMayFollow(t *testing.T) {
	const limit, work = 250 * time.Millisecond, 400 * time.Millisecond
	drain := func(t *testing.T, r *retry.Retrier, cc *grpc.ClientConn) {
		t.Helper()
		for r.BudgetBalance() >= 1 {
			ctx := metadata.AppendToOutgoingContext(t.Context(), "script", "refuse")
			if _, err := call(ctx, cc, readMethod); status.Code(err) != codes.Unavailable {
				t.Fatal(err)
			}
		}
	}
	soon := func(f func()) { time.AfterFunc(100*ms, f) }
	for _, tt := range []struct {
		name    string
		unknown bool // the method must not be repeated
		terms   terms
		opts    []retry.Option
		before  func(*testing.T, *retry.Retrier, *grpc.ClientConn)
		ctx     func(context.Context) context.Context
		cut     bool
	}{
		{name: "another may follow", cut: true},
		{name: "unknown idempotency", unknown: true},
		{name: "retries switched off", before: func(_ *testing.T, r *retry.Retrier, _ *grpc.ClientConn) { r.SetRetries(false) }},
		{name: "retries switched off meanwhile", before: func(_ *testing.T, r *retry.Retrier, _ *grpc.ClientConn) { soon(func() { r.SetRetries(false) }) }},
		{name: "no budget", opts: []retry.Option{retry.WithBudget(retry.Budget{Max: 1})}, before: drain},
		{name: "the budget empties meanwhile", opts: []retry.Option{retry.WithBudget(retry.Budget{Max: 1})}, before: func(t *testing.T, r *retry.Retrier, cc *grpc.ClientConn) {
			soon(func() { drain(t, r, cc) })
		}},
		{
			name: "the circuit is open", opts: []retry.Option{retry.WithBreaker(retry.Breaker{FailureRatio: 0.1, MinAttempts: 1, Window: time.Minute})},
			before: func(t *testing.T, _ *retry.Retrier, cc *grpc.ClientConn) {
				ctx := metadata.AppendToOutgoingContext(t.Context(), "script", "refuse")
				for _, method := range []string{readMethod, writeMethod} {
					_, _ = call(ctx, cc, method)
				}
				_, _ = drained(watched(ctx, t, cc))
			},
		},
		{name: "below a retried call", ctx: func(ctx context.Context) context.Context {
			ctx, _ = attempt.NewContext(ctx, 2, false, nil)
			return ctx
		}},
		{name: "no attempts left", terms: terms{attempts: 1}},
		{name: "no time for a wait", terms: terms{initial: 5 * time.Second, limit: 5 * time.Second}},
		{name: "no time for an attempt", terms: terms{deadline: 401 * ms, initial: ms, perAttempt: 397 * ms}},
		{name: "the Retrier is closed meanwhile", before: func(_ *testing.T, r *retry.Retrier, _ *grpc.ClientConn) { soon(func() { _ = r.Close() }) }},
	} {
		for _, kind := range []string{"unary", "hedged", "stream"} {
			t.Run(tt.name+", "+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					slow := func(ctx context.Context) error {
						md, _ := metadata.FromIncomingContext(ctx)
						if len(md["script"]) > 0 {
							return status.Error(codes.Unavailable, "refused")
						}
						if n := len(md["grpc-previous-rpc-attempts"]); n > 0 && tt.cut {
							return nil
						}
						return sleep(ctx, work)
					}
					l := newLab(t, func(ctx context.Context, _ int) error { return slow(ctx) })
					l.watch = func(ctx context.Context, stream grpc.ServerStream) error {
						if err := stream.RecvMsg(new(wrapperspb.StringValue)); err != nil {
							return err
						}
						if err := slow(ctx); err != nil {
							return err
						}
						return stream.SendMsg(wrapperspb.String("first"))
					}
					method, s := readMethod, tt.terms
					if s.perAttempt == 0 {
						s.perAttempt, s.deadline = limit, 2*time.Second
					}
					switch {
					case kind == "stream" && tt.unknown:
						method = talkMethod
					case kind == "stream":
						method = watchMethod
					case tt.unknown && kind == "hedged":
						return // such a method is never hedged
					case tt.unknown:
						method = actMethod
					case kind == "hedged":
						s.hedges, s.hedgeDelay = 1, min(time.Second, s.deadline-ms)
					}
					r := newRetrier(t, method, s, tt.opts...)
					cc := l.dial(t, r)
					ctx := t.Context()
					if tt.ctx != nil {
						ctx = tt.ctx(ctx)
					}
					if tt.before != nil {
						tt.before(t, r, cc)
					}
					l.calls.Store(0)
					start := time.Now()
					var err error
					if kind == "stream" {
						stream := opened(ctx, t, cc, method)
						if err := stream.SendMsg(wrapperspb.String("ask")); err != nil {
							t.Fatal(err)
						}
						err = stream.RecvMsg(new(wrapperspb.StringValue))
					} else {
						_, err = call(ctx, cc, method)
					}
					if err != nil {
						t.Fatalf("after %v: %v", time.Since(start), err)
					}
					if tt.cut {
						took(t, start, limit+25*ms)
						l.saw(t, 2)
						return
					}
					took(t, start, work)
					if tt.name != "the budget empties meanwhile" { // which takes calls
						l.saw(t, 1)
					}
				})
			})
		}
	}
}

// The Retrier uses what measures a per-attempt timeout again. It ends no attempt but its own.
func TestTimeoutHoldsForItsOwnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		work := []time.Duration{200 * ms, 200 * ms, time.Hour, 200 * ms, 0, time.Hour, 0}
		l := newLab(t, func(ctx context.Context, n int) error { return sleep(ctx, work[n-1]) })
		r := newRetrier(t, readMethod, terms{deadline: 2 * time.Second, perAttempt: 250 * ms})
		cc := l.dial(t, r)
		for i, want := range []time.Duration{200 * ms, 200 * ms, 475 * ms, 0, 275 * ms} {
			start := time.Now()
			if _, err := call(t.Context(), cc, readMethod); err != nil {
				t.Fatal(i, err)
			}
			took(t, start, want)
		}
	})
}

// What the timeout takes from the budget it gives back when the attempt succeeds or nothing follows after all.
func TestTimeoutThatCutsForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, func(ctx context.Context, _ int) error { return sleep(ctx, time.Hour) })
		r := newRetrier(
			t, readMethod, terms{deadline: 2 * time.Second, perAttempt: 100 * ms, initial: 800 * ms},
			retry.WithBudget(retry.Budget{Max: 10}),
		)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(200*ms, cancel)
		_, err := call(ctx, l.dial(t, r), readMethod)
		stopped(t, err, codes.Canceled, retry.StopCanceled, 1)
		if got := r.BudgetBalance(); got != 10 {
			t.Errorf("the balance is %v, want 10", got)
		}
	})
}

// After "do not retry" an attempt that is still out has all the time that is left.
func TestTimeoutAfterDoNotRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, func(ctx context.Context, n int) error {
			if n == 1 {
				if err := sleep(ctx, 50*ms); err != nil {
					return err
				}
				_ = rpcerr.SetPushback(ctx, -1)
				return status.Error(codes.Unavailable, "do not retry")
			}
			return sleep(ctx, 400*ms)
		})
		r := newRetrier(
			t, readMethod, terms{deadline: 2 * time.Second, perAttempt: 250 * ms, hedges: 1, hedgeDelay: 20 * ms},
		)
		start := time.Now()
		if _, err := call(t.Context(), l.dial(t, r), readMethod); err != nil {
			t.Fatal(err)
		}
		took(t, start, 420*ms)
	})
}

// The server is told the deadline of the call, because the timeout of an attempt may be lifted; an attempt that is cut
// ends with DEADLINE_EXCEEDED for the interceptors between the Retrier and that of package attempt, and with CANCELLED
// inside of that and at the server.
func TestWhatATimeoutLooksLike(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var left time.Duration
		l := newLab(t, func(ctx context.Context, n int) error {
			if n > 1 {
				return nil
			}
			deadline, _ := ctx.Deadline()
			left = time.Until(deadline)
			<-ctx.Done()
			return ctx.Err()
		})
		watching := func(ended *[]codes.Code) grpc.UnaryClientInterceptor {
			return func(
				ctx context.Context,
				method string,
				req, reply any,
				cc *grpc.ClientConn,
				invoker grpc.UnaryInvoker,
				opts ...grpc.CallOption,
			) error {
				derived, cancel := context.WithTimeout(ctx, time.Hour)
				defer cancel()
				err := invoker(derived, method, req, reply, cc, opts...)
				*ended = append(*ended, status.Code(err))
				return err
			}
		}
		var between, inside []codes.Code
		r := newRetrier(t, readMethod, terms{deadline: time.Second, perAttempt: 100 * ms})
		cc := l.dialPlain(t, grpc.WithDisableRetry(), grpc.WithChainUnaryInterceptor(
			r.UnaryClientInterceptor, watching(&between), attempt.UnaryClientInterceptor, watching(&inside),
		))
		if _, err := call(t.Context(), cc, readMethod); err != nil {
			t.Fatal(err)
		}
		if left != time.Second {
			t.Errorf("the server had %v left", left)
		}
		if want := []codes.Code{codes.DeadlineExceeded, codes.OK}; !slices.Equal(between, want) {
			t.Errorf("between the two the attempts ended with %v", between)
		}
		if want := []codes.Code{codes.Canceled, codes.OK}; !slices.Equal(inside, want) {
			t.Errorf("inside the attempts ended with %v", inside)
		}
	})
}

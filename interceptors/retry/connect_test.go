package retry_test

import (
	"context"
	"net"
	"sync"
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

// restarts takes connections, and loses them all when the only replica of its lab restarts.
type restarts struct {
	lab   *lab
	mu    sync.Mutex
	conns []net.Conn
}

func (r *restarts) dialer() grpc.DialOption {
	return grpc.WithContextDialer(func(ctx context.Context, at string) (net.Conn, error) {
		if r.lab.down.Load() {
			return nil, errRefused
		}
		conn, err := r.lab.servers[at].DialContext(ctx)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.conns = append(r.conns, conn)
		return conn, err
	})
}

// restart takes the replica away for so long.
func (r *restarts) restart(outage time.Duration) {
	r.lab.down.Store(true)
	r.mu.Lock()
	for _, conn := range r.conns {
		_ = conn.Close()
	}
	r.conns = nil
	r.mu.Unlock()
	time.Sleep(outage)
	r.lab.down.Store(false)
}

// While the only replica of a service restarts, calls that never left wait for the connection: none fails whose
// deadline allows it, none counts as a retry for the server, and the budget is untouched.
func TestRestartOfTheOnlyReplica(t *testing.T) {
	for _, method := range []string{readMethod, actMethod} {
		for _, outage := range []time.Duration{50 * ms, time.Second} {
			synctest.Test(t, func(t *testing.T) {
				var marked sync.Map
				l := newLab(t, func(ctx context.Context, n int) error {
					if len(metadata.ValueFromIncomingContext(ctx, "grpc-previous-rpc-attempts")) > 0 {
						marked.Store(n, true)
					}
					return nil
				})
				lost := &restarts{lab: l}
				r := newRetrier(t, method, terms{deadline: 2 * time.Second}, retry.WithBudget(retry.Budget{Max: 10}))
				cc := l.dial(t, r, lost.dialer())
				ready(t, cc)
				go lost.restart(outage)
				var calls sync.WaitGroup
				for range 250 {
					time.Sleep(ms)
					calls.Go(func() {
						if _, err := call(t.Context(), cc, method); err != nil {
							t.Errorf("%s: %v", method, err)
						}
					})
				}
				calls.Wait()
				l.saw(t, 250)
				marked.Range(func(n, _ any) bool { t.Errorf("attempt %v says that it is not the first", n); return true })
				if spent, refused := r.BudgetUse(); r.BudgetBalance() != 10 || spent+refused != 0 {
					t.Errorf("the balance is %v, %d were spent and %d refused", r.BudgetBalance(), spent, refused)
				}
			})
		}
	}
}

// Where no connection comes, the call has the real status as soon as no time would be left for an attempt.
func TestWaitForAConnection(t *testing.T) {
	for name, tt := range map[string]struct {
		terms   terms
		opts    []retry.Option
		off     bool
		ctx     func(context.Context) context.Context
		elapsed time.Duration // at most, where an attempt counts
		reason  retry.StopReason
	}{
		"to the deadline": {reason: retry.StopDeadline, elapsed: time.Second - 5*ms},
		"below a retried call": {reason: retry.StopUpstreamRetrying, elapsed: time.Second - 5*ms, ctx: func(ctx context.Context) context.Context {
			ctx, _ = attempt.NewContext(ctx, 2, false, nil)
			return ctx
		}},
		"one attempt":      {terms: terms{attempts: 1}, reason: retry.StopAttemptsExhausted},
		"switched off":     {off: true, reason: retry.StopSwitchedOff},
		"no endpoints":     {opts: []retry.Option{retry.WithEndpoints(func() int { return 0 })}, reason: retry.StopAttemptsExhausted, elapsed: 75 * ms},
		"Retrier's budget": {opts: []retry.Option{retry.WithBudget(retry.Budget{Max: 1})}, reason: retry.StopDeadline, elapsed: time.Second - 5*ms},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, nil)
				l.down.Store(true)
				tt.terms.deadline = time.Second
				r := newRetrier(t, actMethod, tt.terms, tt.opts...)
				r.SetRetries(!tt.off)
				ctx := t.Context()
				if tt.ctx != nil {
					ctx = tt.ctx(ctx)
				}
				before := r.BudgetBalance()
				start := time.Now()
				_, err := call(ctx, l.dial(t, r), actMethod)
				if failed := failure(t, err); status.Code(err) != codes.Unavailable || failed.Reason != tt.reason {
					t.Errorf("got %v, want UNAVAILABLE with the reason %s", err, tt.reason)
				}
				took(t, start, tt.elapsed)
				if name != "no endpoints" && r.BudgetBalance() != before {
					t.Errorf("the balance is %v, want %v", r.BudgetBalance(), before)
				}
			})
		})
	}
}

// Where the status of an attempt that never left names another cause than a missing connection, nothing is waited for.
func TestNoWaitForAConnectionThatIsNotTheCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		l.down.Store(true)
		tokenless := func(
			ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker,
			opts ...grpc.CallOption,
		) error {
			_ = invoker(ctx, method, req, reply, cc, opts...)
			return rpcerr.New(rpcerr.TokenSourceUnavailable, "no token", nil)
		}
		r := newRetrier(t, readMethod, terms{})
		start := time.Now()
		_, err := call(t.Context(), l.dial(t, r, grpc.WithChainUnaryInterceptor(tokenless)), readMethod)
		stopped(t, err, codes.Unavailable, retry.StopAttemptsExhausted, 3)
		took(t, start, 75*ms)
	})
}

// A stream without a deadline waits as long as a call without one may take, and then fails as after any attempt.
func TestStreamWaitsForAConnection(t *testing.T) {
	for _, outage := range []time.Duration{5 * time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, nil)
			acts(l, sends(1, 1, nil))
			l.down.Store(true)
			cc := l.dial(t, newRetrier(t, watchMethod, terms{}))
			time.AfterFunc(outage, func() { l.down.Store(false) })
			start := time.Now()
			stream, err := cc.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, watchMethod)
			if outage > time.Minute {
				if elapsed := time.Since(start); elapsed < 10*time.Second || elapsed > 11*time.Second {
					t.Errorf("the stream failed after %v, want a little more than 10s", elapsed)
				}
				if failed := failure(t, err); failed.Reason != retry.StopAttemptsExhausted {
					t.Error(err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := stream.SendMsg(wrapperspb.String("ask")); err != nil {
				t.Fatal(err)
			}
			if err := stream.RecvMsg(new(wrapperspb.StringValue)); err != nil {
				t.Error(err)
			}
			l.saw(t, 1)
		})
	}
}

// The wait ends with the caller, the Retrier and the channel.
func TestWaitForAConnectionIsInterrupted(t *testing.T) {
	for name, tt := range map[string]struct {
		end    func(*retry.Retrier, *grpc.ClientConn, context.CancelFunc)
		code   codes.Code
		reason retry.StopReason
	}{
		"caller":  {func(_ *retry.Retrier, _ *grpc.ClientConn, cancel context.CancelFunc) { cancel() }, codes.Canceled, retry.StopCanceled},
		"Retrier": {func(r *retry.Retrier, _ *grpc.ClientConn, _ context.CancelFunc) { _ = r.Close() }, codes.Unavailable, retry.StopClosing},
		"channel": {func(_ *retry.Retrier, cc *grpc.ClientConn, _ context.CancelFunc) { _ = cc.Close() }, codes.Unavailable, retry.StopClosing},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, nil)
				l.down.Store(true)
				r := newRetrier(t, readMethod, terms{})
				cc := l.dial(t, r)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				time.AfterFunc(300*ms, func() { tt.end(r, cc, cancel) })
				start := time.Now()
				_, err := call(ctx, cc, readMethod)
				if failed := failure(t, err); status.Code(err) != tt.code || failed.Reason != tt.reason {
					t.Errorf("got %v", err)
				}
				took(t, start, 300*ms)
			})
		})
	}
}

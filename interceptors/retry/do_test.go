package retry_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/rpcerr"
)

var errBusy = errors.New("the table is locked")

type fact struct{ yes bool }

func (f fact) Error() string   { return "a fact" }
func (f fact) Retryable() bool { return f.yes }

type passing struct{ yes bool }

func (p passing) Error() string   { return "passing" }
func (p passing) Temporary() bool { return p.yes }

func operation(t *testing.T, r *retry.Retrier, p retry.OperationPolicy) *retry.Operation {
	t.Helper()
	o, err := r.Operation("orders.insert", p)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func newDoer(t *testing.T, opts ...retry.Option) *retry.Retrier {
	t.Helper()
	r := retry.New(append([]retry.Option{retry.WithRandom(func() float64 { return 0.5 })}, opts...)...)
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func TestDo(t *testing.T) {
	again := func(error) retry.Classification { return retry.Classification{Retryable: true} }
	for _, tt := range []struct {
		name     string
		policy   retry.OperationPolicy
		errs     []error // of the attempts; the one after them succeeds
		attempts int
		reason   retry.StopReason
		took     time.Duration
	}{
		{"success", retry.OperationPolicy{}, nil, 1, retry.StopOK, 0},
		{"by the function", retry.OperationPolicy{Idempotency: policy.Idempotent, Classify: again}, []error{errBusy, errBusy}, 3, retry.StopOK, 75 * ms},
		{"not idempotent", retry.OperationPolicy{Classify: again}, []error{errBusy}, 1, retry.StopNotIdempotent, 0},
		{"provably not run", retry.OperationPolicy{Classify: func(error) retry.Classification { return retry.Classification{NotRun: true} }}, []error{errBusy}, 2, retry.StopOK, 25 * ms},
		{"unknown error", retry.OperationPolicy{Idempotency: policy.Idempotent}, []error{errBusy}, 1, retry.StopNotRetryable, 0},
		{"attempts", retry.OperationPolicy{Idempotency: policy.Idempotent, MaxAttempts: 2}, []error{fact{true}, fact{true}}, 2, retry.StopAttemptsExhausted, 25 * ms},
		{"pushback", retry.OperationPolicy{Idempotency: policy.Idempotent, Classify: func(error) retry.Classification {
			return retry.Classification{Retryable: true, Pushback: rpcerr.Pushback{Said: true, Wait: 300 * ms}}
		}}, []error{errBusy}, 2, retry.StopOK, 315 * ms},
		{"deadline gate", retry.OperationPolicy{Idempotency: policy.Idempotent, Deadline: time.Second, InitialBackoff: time.Minute}, []error{fact{true}}, 1, retry.StopDeadline, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				start := time.Now()
				got, err := retry.Do(t.Context(), operation(t, newDoer(t), tt.policy), func(context.Context) (string, error) {
					n++
					if n <= len(tt.errs) {
						return "half", tt.errs[n-1]
					}
					return "whole", nil
				})
				took(t, start, tt.took)
				if n != tt.attempts {
					t.Errorf("%d attempts, want %d", n, tt.attempts)
				}
				if tt.reason == retry.StopOK {
					if got != "whole" || err != nil {
						t.Errorf("got %q, %v", got, err)
					}
					return
				}
				last := tt.errs[n-1]
				stopped(t, err, codes.Unknown, tt.reason, tt.attempts)
				if got != "" || !errors.Is(err, last) || !strings.HasPrefix(err.Error(), last.Error()) {
					t.Errorf("got %q and %v, want nothing and the last error", got, err)
				}
			})
		})
	}
}

// An operation is raced like a call, with a result for each attempt.
func TestDoHedges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := operation(t, newDoer(t), retry.OperationPolicy{Idempotency: policy.NoSideEffects, MaxHedges: 1, HedgeDelay: 20 * ms})
		attempts := make(chan int, 2)
		attempts <- 1
		attempts <- 2
		start := time.Now()
		got, err := retry.Do(t.Context(), o, func(ctx context.Context) (int, error) {
			n := <-attempts
			if n == 1 {
				<-ctx.Done()
				return n, nil
			}
			return n, sleep(ctx, 10*ms)
		})
		took(t, start, 30*ms)
		if got != 2 || err != nil {
			t.Errorf("got %d, %v, want the result of the second attempt", got, err)
		}
	})
}

// Do outside, a call inside: the inner one is not retried within an attempt that is itself a retry, and what it has
// given up is not tried again.
func TestDoAroundACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, always(codes.Unavailable))
		cc := l.dial(t, newRetrier(t, readMethod, terms{attempts: 3}))
		inner := func(ctx context.Context) (string, error) { return call(ctx, cc, readMethod) }
		_, err := retry.Do(t.Context(), operation(t, newDoer(t), retry.OperationPolicy{Idempotency: policy.Idempotent}), inner)
		if failed := failure(t, err); failed.Attempts != 1 || failed.Reason != retry.StopNotRetryable {
			t.Errorf("got %v", err)
		}
		l.saw(t, 3)
		l.calls.Store(0)
		stubborn := operation(t, newDoer(t), retry.OperationPolicy{Idempotency: policy.Idempotent, Classify: func(error) retry.Classification {
			return retry.Classification{Retryable: true}
		}})
		_, err = retry.Do(t.Context(), stubborn, inner)
		stopped(t, err, codes.Unavailable, retry.StopAttemptsExhausted, 3)
		l.saw(t, 3+1+1)
	})
}

func TestDoOnAClosedOrWrongRetrier(t *testing.T) {
	run := func(context.Context) (int, error) { return 1, nil }
	r := newDoer(t)
	o := operation(t, r, retry.OperationPolicy{})
	_ = r.Close()
	_, err := retry.Do(t.Context(), o, run)
	stopped(t, err, codes.Canceled, retry.StopClosing, 0)

	wrong := operation(t, newDoer(t, retry.WithRandom(nil)), retry.OperationPolicy{})
	if _, err := retry.Do(t.Context(), wrong, run); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("got %v, want FAILED_PRECONDITION", err)
	}
}

func TestOperationThatCannotBe(t *testing.T) {
	r := newDoer(t)
	for want, p := range map[string]retry.OperationPolicy{
		"MaxAttempts":       {MaxAttempts: -1},
		"MaxHedges":         {MaxHedges: -1},
		"durations":         {Deadline: -1},
		"MaxBackoff":        {InitialBackoff: 2, MaxBackoff: 1},
		"PerAttemptTimeout": {Deadline: 1, PerAttemptTimeout: 2},
		"do not fit":        {Deadline: 5, MaxAttempts: 3, PerAttemptTimeout: 2},
		"HedgeDelay":        {Deadline: 1, HedgeDelay: 1},
		"hedge.max_hedges":  {MaxHedges: 1},
	} {
		if _, err := r.Operation("x", p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want a word on %s", p, err, want)
		}
	}
	if _, err := r.Operation("", retry.OperationPolicy{}); err == nil {
		t.Error("an operation without a name was taken")
	}
}

func TestClassify(t *testing.T) {
	quota, err := status.New(codes.ResourceExhausted, "x").WithDetails(retryInfo(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	yes, no := retry.Classification{Retryable: true}, retry.Classification{}
	for _, tt := range []struct {
		name string
		err  error
		want retry.Classification
	}{
		{"nil", nil, no},
		{"anything", errBusy, no},
		{"cancelled", fmt.Errorf("reading: %w", context.Canceled), no},
		{"too late", context.DeadlineExceeded, no},
		{"retryable", fmt.Errorf("writing: %w", fact{true}), yes},
		{"not retryable", fact{false}, no},
		{"temporary", passing{true}, yes},
		{"not temporary", passing{false}, no},
		{"UNAVAILABLE", status.Error(codes.Unavailable, "x"), yes},
		{"NOT_FOUND", status.Error(codes.NotFound, "x"), no},
		{"RESOURCE_EXHAUSTED", status.Error(codes.ResourceExhausted, "x"), no},
		{"RESOURCE_EXHAUSTED, and when", quota.Err(), retry.Classification{Retryable: true, Pushback: rpcerr.Pushback{Said: true, Wait: time.Second}}},
		{"no connection", &net.OpError{Op: "dial", Err: errBusy}, retry.Classification{Retryable: true, NotRun: true}},
		{"a broken connection", &net.OpError{Op: "read", Err: errBusy}, no},
		{"a call that has given up", &retry.Error{Reason: retry.StopBudget, Last: fact{true}}, no},
	} {
		if got := retry.Classify(tt.err); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

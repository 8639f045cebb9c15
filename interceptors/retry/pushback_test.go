package retry_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/rpcerr"
)

// pushing fails the first n attempts with UNAVAILABLE, and with pushbacks in the trailer.
func pushing(n int, pushbacks ...string) handler {
	return func(ctx context.Context, attempt int) error {
		if attempt > n {
			return nil
		}
		if err := grpc.SetTrailer(ctx, metadata.MD{rpcerr.PushbackKey: pushbacks}); err != nil {
			return err
		}
		return status.Error(codes.Unavailable, "scripted")
	}
}

// detailed fails the first n attempts with a status that carries details.
func detailed(n int, code codes.Code, details ...protoadapt.MessageV1) handler {
	return func(_ context.Context, attempt int) error {
		if attempt > n {
			return nil
		}
		st, err := status.New(code, "scripted").WithDetails(details...)
		if err != nil {
			return err
		}
		return st.Err()
	}
}

func retryInfo(d time.Duration) *errdetails.RetryInfo {
	return &errdetails.RetryInfo{RetryDelay: durationpb.New(d)}
}

func TestScenario07PushbackStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, pushing(9, "-1"))
		r := newRetrier(t, readMethod, terms{attempts: 4})
		start := time.Now()
		_, err := call(t.Context(), l.dial(t, r), readMethod)
		stopped(t, err, codes.Unavailable, retry.StopPushback, 1)
		took(t, start, 0)
		l.saw(t, 1)
	})
}

// It is waited for, and up to a tenth longer: half of that with the random numbers of these tests.
func TestScenario08PushbackIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := pushing(1, "250")
		l := newLab(t, func(ctx context.Context, n int) error {
			if err := grpc.SetHeader(ctx, metadata.Pairs("some", "header")); err != nil {
				return err
			}
			return script(ctx, n)
		})
		start := time.Now()
		if _, err := call(t.Context(), l.dial(t, newRetrier(t, readMethod, terms{deadline: 2 * time.Second})), readMethod); err != nil {
			t.Fatal(err)
		}
		took(t, start, 262500*time.Microsecond)
		l.saw(t, 2)
	})
}

func TestScenario09RetryInfoIsALowerBound(t *testing.T) {
	for _, tt := range []struct {
		name       string
		info, want time.Duration
	}{
		{"above the drawn wait", 400 * time.Millisecond, 420 * time.Millisecond},
		{"below the drawn wait", 100 * time.Millisecond, 250 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, detailed(1, codes.Unavailable, retryInfo(tt.info)))
				start := time.Now()
				cc := l.dial(t, newRetrier(t, readMethod, terms{initial: 500 * time.Millisecond}))
				if _, err := call(t.Context(), cc, readMethod); err != nil {
					t.Fatal(err)
				}
				took(t, start, tt.want)
				l.saw(t, 2)
			})
		})
	}
}

func TestScenario10ResourceExhaustedNeedsAHint(t *testing.T) {
	quota := &errdetails.QuotaFailure{Violations: []*errdetails.QuotaFailure_Violation{{Subject: "project:1"}}}
	for _, tt := range []struct {
		name     string
		script   handler
		reason   retry.StopReason
		attempts int
	}{
		{"QuotaFailure and no hint", detailed(9, codes.ResourceExhausted, quota), retry.StopNotRetryable, 1},
		{"no details at all", always(codes.ResourceExhausted), retry.StopNotRetryable, 1},
		{"UNAVAILABLE with QuotaFailure and no hint", detailed(9, codes.Unavailable, quota), retry.StopNotRetryable, 1},
		{"RetryInfo", detailed(9, codes.ResourceExhausted, retryInfo(time.Millisecond)), retry.StopAttemptsExhausted, 3},
		{"QuotaFailure and RetryInfo", detailed(9, codes.ResourceExhausted, quota, retryInfo(time.Millisecond)), retry.StopAttemptsExhausted, 3},
		{"RetryInfo without a delay", detailed(9, codes.ResourceExhausted, &errdetails.RetryInfo{}), retry.StopNotRetryable, 1},
		{"RetryInfo with a negative delay", detailed(9, codes.ResourceExhausted, retryInfo(-time.Second)), retry.StopNotRetryable, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, tt.script)
				_, err := call(t.Context(), l.dial(t, newRetrier(t, readMethod, terms{})), readMethod)
				code := codes.ResourceExhausted
				if tt.name == "UNAVAILABLE with QuotaFailure and no hint" {
					code = codes.Unavailable
				}
				stopped(t, err, code, tt.reason, tt.attempts)
				l.saw(t, tt.attempts)
			})
		})
	}
}

// RESOURCE_EXHAUSTED with a pushback, in the trailer, is retried after exactly that time.
func TestResourceExhaustedWithPushback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, func(ctx context.Context, n int) error {
			if n > 1 {
				return nil
			}
			if err := rpcerr.SetPushback(ctx, 700*time.Millisecond); err != nil {
				return err
			}
			return status.Error(codes.ResourceExhausted, "scripted")
		})
		start := time.Now()
		if _, err := call(t.Context(), l.dial(t, newRetrier(t, readMethod, terms{})), readMethod); err != nil {
			t.Fatal(err)
		}
		took(t, start, 735*time.Millisecond)
	})
}

func TestScenario11PushbackThatCannotBeRead(t *testing.T) {
	for _, pushbacks := range [][]string{{"abc"}, {"10", "10"}, {""}, {"1.5"}, {"99999999999999999999"}} {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, pushing(9, pushbacks...))
			r := newRetrier(t, readMethod, terms{}, retry.WithBudget(retry.Budget{Ratio: 0.1, Max: 10}))
			_, err := call(t.Context(), l.dial(t, r), readMethod)
			stopped(t, err, codes.Unavailable, retry.StopPushback, 1)
			l.saw(t, 1)
			if got := r.BudgetBalance(); got != 9 {
				t.Errorf("after the pushback %q the balance is %v, want 9", pushbacks, got)
			}
		})
	}
}

func TestScenario12HintBeyondTheDeadline(t *testing.T) {
	for name, script := range map[string]handler{
		"pushback":  pushing(9, "5000"),
		"RetryInfo": detailed(9, codes.Unavailable, retryInfo(5*time.Second)),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, script)
				start := time.Now()
				_, err := call(t.Context(), l.dial(t, newRetrier(t, readMethod, terms{deadline: time.Second})), readMethod)
				stopped(t, err, codes.Unavailable, retry.StopDeadline, 1)
				took(t, start, 0)
			})
		})
	}
}

// Waits are half of 100ms, 200ms, 400ms. The pushback after attempt 3 starts the doubling again.
func TestPushbackStartsTheDoublingAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		start := time.Now()
		l := newLab(t, func(ctx context.Context, n int) error {
			at = append(at, time.Since(start))
			if n == 3 {
				if err := rpcerr.SetPushback(ctx, 30*time.Millisecond); err != nil {
					return err
				}
			}
			return failing(5, codes.Unavailable)(ctx, n)
		})
		cc := l.dial(t, newRetrier(t, readMethod, terms{attempts: 6, initial: 100 * time.Millisecond}))
		if _, err := call(t.Context(), cc, readMethod); err != nil {
			t.Fatal(err)
		}
		ms := time.Millisecond
		for i, want := range []time.Duration{0, 50 * ms, 150 * ms, 181*ms + ms/2, 231*ms + ms/2, 331*ms + ms/2} {
			if at[i] != want {
				t.Errorf("attempt %d began after %v, want %v", i+1, at[i], want)
			}
		}
	})
}

// With both hints the longer one holds.
func TestPushbackAndRetryInfo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		info := detailed(1, codes.Unavailable, retryInfo(400*time.Millisecond))
		l := newLab(t, func(ctx context.Context, n int) error {
			if n == 1 {
				if err := rpcerr.SetPushback(ctx, 100*time.Millisecond); err != nil {
					return err
				}
			}
			return info(ctx, n)
		})
		start := time.Now()
		if _, err := call(t.Context(), l.dial(t, newRetrier(t, readMethod, terms{})), readMethod); err != nil {
			t.Fatal(err)
		}
		took(t, start, 420*time.Millisecond)
	})
}

// A pushback says when, not whether: a status that is not retried stays so.
func TestPushbackDoesNotMakeAStatusRetryable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, func(ctx context.Context, _ int) error {
			if err := rpcerr.SetPushback(ctx, 0); err != nil {
				return err
			}
			return status.Error(codes.Internal, "scripted")
		})
		_, err := call(t.Context(), l.dial(t, newRetrier(t, readMethod, terms{})), readMethod)
		stopped(t, err, codes.Internal, retry.StopNotRetryable, 1)
	})
}

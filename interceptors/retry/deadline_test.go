package retry_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/interceptors/retry"
)

func TestScenario03PerAttemptTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cut time.Duration
		start := time.Now()
		l := newLab(t, func(ctx context.Context, n int) error {
			if n == 1 {
				<-ctx.Done()
				cut = time.Since(start)
				return status.FromContextError(ctx.Err()).Err()
			}
			return sleep(ctx, 20*time.Millisecond)
		})
		cc := l.dial(t, newRetrier(t, writeMethod, terms{deadline: time.Second, perAttempt: 100 * time.Millisecond, initial: 50 * time.Millisecond}))
		if _, err := call(t.Context(), cc, writeMethod); err != nil {
			t.Fatal(err)
		}
		took(t, start, 100*time.Millisecond+25*time.Millisecond+20*time.Millisecond)
		if cut != 100*time.Millisecond {
			t.Errorf("the server saw the end of attempt 1 after %v, want 100ms", cut)
		}
		l.saw(t, 2)
	})
}

func TestScenario04LastAttemptHasAllTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, func(ctx context.Context, _ int) error { return sleep(ctx, 150*time.Millisecond) })
		cc := l.dial(t, newRetrier(t, readMethod, terms{deadline: time.Second, perAttempt: 100 * time.Millisecond, attempts: 2, initial: 40 * time.Millisecond}))
		start := time.Now()
		if _, err := call(t.Context(), cc, readMethod); err != nil {
			t.Fatal(err)
		}
		took(t, start, 100*time.Millisecond+20*time.Millisecond+150*time.Millisecond)
		l.saw(t, 2)
	})
}

// An attempt that its own timeout would end may have run. Where the method must not be repeated, nothing could follow
// it, so that it has all the time of its call.
func TestPerAttemptTimeoutOfAMethodThatMustNotBeRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, func(ctx context.Context, _ int) error { return sleep(ctx, time.Hour) })
		cc := l.dial(t, newRetrier(t, actMethod, terms{deadline: time.Second, perAttempt: 100 * time.Millisecond}))
		start := time.Now()
		_, err := call(t.Context(), cc, actMethod)
		stopped(t, err, codes.DeadlineExceeded, retry.StopDeadline, 1)
		took(t, start, time.Second)
		l.saw(t, 1)
	})
}

// A DEADLINE_EXCEEDED that the server sends by itself follows the list of codes.
func TestServersOwnDeadlineExceededIsNoTimeout(t *testing.T) {
	for _, tt := range []struct {
		name     string
		codes    []string
		reason   retry.StopReason
		attempts int
	}{
		{"not listed", nil, retry.StopNotRetryable, 1},
		{"listed", []string{"DEADLINE_EXCEEDED"}, retry.StopAttemptsExhausted, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, always(codes.DeadlineExceeded))
				cc := l.dial(t, newRetrier(t, readMethod, terms{perAttempt: 100 * time.Millisecond, codes: tt.codes}))
				_, err := call(t.Context(), cc, readMethod)
				stopped(t, err, codes.DeadlineExceeded, tt.reason, tt.attempts)
			})
		})
	}
}

func TestScenario05CallerGivesUpDuringTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, always(codes.Unavailable))
		r := newRetrier(t, readMethod, terms{initial: 2 * time.Second})
		cc := l.dial(t, r)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(300*time.Millisecond, cancel)
		start := time.Now()
		_, err := call(ctx, cc, readMethod)
		stopped(t, err, codes.Canceled, retry.StopCanceled, 1)
		took(t, start, 300*time.Millisecond)
		if want := "the caller gave up after 1 attempt (canceled); last status: UNAVAILABLE: scripted"; status.Convert(err).Message() != want {
			t.Errorf("the message is %q, want %q", status.Convert(err).Message(), want)
		}
		if got := r.BudgetBalance(); got != 10 {
			t.Errorf("the balance is %v, want 10: the attempt was not made", got)
		}
		l.saw(t, 1)
	})
}

func TestScenario06ClosingTheChannelEndsTheWait(t *testing.T) {
	for _, tt := range []struct {
		name  string
		close func(*grpc.ClientConn, *retry.Retrier) error
	}{
		{"ClientConn", func(cc *grpc.ClientConn, _ *retry.Retrier) error { return cc.Close() }},
		{"Retrier", func(_ *grpc.ClientConn, r *retry.Retrier) error { return r.Close() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, always(codes.Unavailable))
				r := newRetrier(t, readMethod, terms{initial: 3 * time.Second, limit: 3 * time.Second})
				cc := l.dial(t, r)
				time.AfterFunc(100*time.Millisecond, func() {
					if err := tt.close(cc, r); err != nil {
						t.Error(err)
					}
				})
				start := time.Now()
				_, err := call(t.Context(), cc, readMethod)
				stopped(t, err, codes.Unavailable, retry.StopClosing, 1)
				took(t, start, 100*time.Millisecond)
				if got := r.BudgetBalance(); got != 10 {
					t.Errorf("the balance is %v, want 10: the attempt was not made", got)
				}
			})
		})
	}
}

func TestDeadlines(t *testing.T) {
	hang := func(ctx context.Context, _ int) error { return sleep(ctx, time.Hour) }
	for _, tt := range []struct {
		name     string
		callers  time.Duration
		terms    terms
		options  []retry.Option
		want     time.Duration
		wantText string
	}{
		{name: "no deadline is stated", want: 10 * time.Second, wantText: "the deadline of 10s (default) passed"},
		{
			name: "the option states one", options: []retry.Option{retry.WithDefaultDeadline(3 * time.Second)}, want: 3 * time.Second,
			wantText: "the deadline of 3s (code retry.WithDefaultDeadline) passed",
		},
		{name: "the method states one", terms: terms{deadline: time.Second}, want: time.Second, wantText: "the deadline of 1s (code lab_test.go:"},
		{
			name: "the caller's is earlier", callers: 500 * time.Millisecond, terms: terms{deadline: time.Second}, want: 500 * time.Millisecond,
			wantText: "the caller's deadline passed",
		},
		{name: "the caller's is later", callers: 2 * time.Second, terms: terms{deadline: time.Second}, want: time.Second, wantText: "the deadline of 1s (code"},
		{name: "the caller's is later than the default", callers: time.Minute, want: time.Minute, wantText: "the caller's deadline passed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, hang)
				cc := l.dial(t, newRetrier(t, readMethod, tt.terms, tt.options...))
				ctx := t.Context()
				if tt.callers > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.callers)
					defer cancel()
				}
				start := time.Now()
				_, err := call(ctx, cc, readMethod)
				stopped(t, err, codes.DeadlineExceeded, retry.StopDeadline, 1)
				took(t, start, tt.want)
				if got := status.Convert(err).Message(); !strings.HasPrefix(got, tt.wantText) {
					t.Errorf("the message is %q, want it to begin with %q", got, tt.wantText)
				}
			})
		})
	}
}

// The error of a call that ran into its deadline names the last failure that had a cause of its own.
func TestDeadlineDuringALaterAttemptNamesTheEarlierFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, func(ctx context.Context, n int) error {
			if n == 1 {
				return status.Error(codes.Unavailable, "no disk")
			}
			return sleep(ctx, time.Hour)
		})
		cc := l.dial(t, newRetrier(t, readMethod, terms{deadline: time.Second}))
		start := time.Now()
		_, err := call(t.Context(), cc, readMethod)
		stopped(t, err, codes.DeadlineExceeded, retry.StopDeadline, 2)
		failed := failure(t, err)
		took(t, start, time.Second)
		if got := status.Convert(err).Message(); !strings.HasSuffix(got, "passed after 2 attempts (deadline); last status: UNAVAILABLE: no disk") {
			t.Errorf("the message is %q, want it to name the failure of attempt 1", got)
		}
		if status.Code(failed.Last) != codes.Unavailable {
			t.Errorf("Last is %v, want the failure of attempt 1", failed.Last)
		}
	})
}

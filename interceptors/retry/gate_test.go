package retry_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/interceptors/retry"
)

func TestScenario01NoTimeForAnotherAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, always(codes.Unavailable))
		cc := l.dial(t, newRetrier(t, readMethod, terms{deadline: 300 * time.Millisecond, initial: time.Second, attempts: 3}))
		start := time.Now()
		_, err := call(t.Context(), cc, readMethod)
		stopped(t, err, codes.Unavailable, retry.StopDeadline, 1)
		took(t, start, 0)
		l.saw(t, 1)
	})
}

func TestScenario02TypicalAttemptDoesNotFit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail := false
		l := newLab(t, func(ctx context.Context, _ int) error {
			if !fail {
				return sleep(ctx, 80*time.Millisecond)
			}
			if err := sleep(ctx, 70*time.Millisecond); err != nil {
				return err
			}
			return status.Error(codes.Unavailable, "scripted")
		})
		r := newRetrier(t, readMethod, terms{attempts: 3})
		cc := l.dial(t, r)
		for range 5 {
			if _, err := call(t.Context(), cc, readMethod); err != nil {
				t.Fatal(err)
			}
		}
		fail = true
		start, balance := time.Now(), r.BudgetBalance()
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
		defer cancel()
		_, err := call(ctx, cc, readMethod)
		stopped(t, err, codes.Unavailable, retry.StopDeadline, 1)
		took(t, start, 70*time.Millisecond)
		if r.BudgetBalance() != balance {
			t.Errorf("the balance went from %v to %v, want it untouched", balance, r.BudgetBalance())
		}
	})
}

// The wait is drawn below the time that is left, less 5ms for the attempt. If that is less than half of the first
// bound, there is no further attempt.
func TestDeadlineGate(t *testing.T) {
	for _, tt := range []struct {
		deadline, initial time.Duration
		want              time.Duration // the wait; -1 for no further attempt
	}{
		{deadline: 105 * time.Millisecond, initial: 80 * time.Millisecond, want: 40 * time.Millisecond},
		{deadline: 65 * time.Millisecond, initial: 80 * time.Millisecond, want: 30 * time.Millisecond},
		{deadline: 45 * time.Millisecond, initial: 80 * time.Millisecond, want: 20 * time.Millisecond},
		{deadline: 44 * time.Millisecond, initial: 80 * time.Millisecond, want: -1},
		{deadline: 5 * time.Millisecond, initial: time.Nanosecond, want: -1},
		{deadline: 6 * time.Millisecond, initial: 2 * time.Millisecond, want: 500 * time.Microsecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, failing(1, codes.Unavailable))
			start := time.Now()
			_, err := call(t.Context(), l.dial(t, newRetrier(t, readMethod, terms{deadline: tt.deadline, initial: tt.initial})), readMethod)
			if tt.want < 0 {
				stopped(t, err, codes.Unavailable, retry.StopDeadline, 1)
				took(t, start, 0)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			took(t, start, tt.want)
		})
	}
}

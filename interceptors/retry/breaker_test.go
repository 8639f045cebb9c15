package retry_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/interceptors/retry"
)

var smallBreaker = retry.Breaker{FailureRatio: 0.5, MinAttempts: 6, Window: 10 * time.Second}

// An open circuit stops retries and hedges, and lets first attempts go. It closes as the failures leave the window.
func TestBreakerStopsRetriesAndHedges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sick atomic.Bool
		sick.Store(true)
		l := newLab(t, func(ctx context.Context, _ int) error {
			if sick.Load() {
				return status.Error(codes.Unavailable, "scripted")
			}
			return sleep(ctx, 50*ms)
		})
		r := newRetrier(t, readMethod, terms{attempts: 3, hedges: 1, hedgeDelay: 20 * ms, initial: ms}, retry.WithBreaker(smallBreaker))
		cc := l.dial(t, r)
		for range 2 {
			_, err := call(t.Context(), cc, readMethod)
			stopped(t, err, codes.Unavailable, retry.StopAttemptsExhausted, 3)
		}
		for range 3 {
			_, err := call(t.Context(), cc, readMethod)
			stopped(t, err, codes.Unavailable, retry.StopCircuitOpen, 1)
		}
		l.saw(t, 9)
		sick.Store(false)
		if _, err := call(t.Context(), cc, readMethod); err != nil {
			t.Fatal(err)
		}
		l.saw(t, 10) // not hedged
		time.Sleep(10 * time.Second)
		if _, err := call(t.Context(), cc, readMethod); err != nil {
			t.Fatal(err)
		}
		l.saw(t, 12) // hedged again
	})
}

func TestBreakerThatStopsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := smallBreaker
		b.StopsCalls = true
		l := newLab(t, failing(6, codes.Unavailable))
		cc := l.dial(t, newRetrier(t, readMethod, terms{attempts: 1}, retry.WithBreaker(b)))
		for range 6 {
			_, err := call(t.Context(), cc, readMethod)
			stopped(t, err, codes.Unavailable, retry.StopAttemptsExhausted, 1)
		}
		// One probe in this second, and everything else is refused.
		if _, err := call(t.Context(), cc, readMethod); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			_, err := call(t.Context(), cc, readMethod)
			stopped(t, err, codes.Unavailable, retry.StopCircuitOpen, 0)
			if !strings.Contains(err.Error(), "6 of 7 attempts within 10s failed") {
				t.Errorf("the text is %v", err)
			}
		}
		l.saw(t, 7)
		// Other methods have circuits of their own.
		if _, err := call(t.Context(), cc, writeMethod); err != nil {
			t.Error(err)
		}
		for range 5 { // five probes that succeed: 6 of 12 attempts are still half
			time.Sleep(time.Second)
			if _, err := call(t.Context(), cc, readMethod); err != nil {
				t.Fatal(err)
			}
		}
		_, err := call(t.Context(), cc, readMethod)
		stopped(t, err, codes.Unavailable, retry.StopCircuitOpen, 0)
		time.Sleep(5 * time.Second) // the failures leave the window
		for range 3 {
			if _, err := call(t.Context(), cc, readMethod); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Answers of a service that works open nothing, nor do callers that give up.
func TestWhatABreakerDoesNotCount(t *testing.T) {
	for _, code := range []codes.Code{codes.NotFound, codes.InvalidArgument, codes.PermissionDenied, codes.Canceled, codes.FailedPrecondition} {
		synctest.Test(t, func(t *testing.T) {
			b := smallBreaker
			b.StopsCalls = true
			l := newLab(t, always(code))
			cc := l.dial(t, newRetrier(t, readMethod, terms{}, retry.WithBreaker(b)))
			for range 50 {
				if _, err := call(t.Context(), cc, readMethod); failure(t, err).Reason != retry.StopNotRetryable {
					t.Fatalf("after %v the call ended with %v", code, err)
				}
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		b := smallBreaker
		b.StopsCalls = true
		l := newLab(t, steps(uncut, step{after: time.Hour}))
		cc := l.dial(t, newRetrier(t, readMethod, terms{}, retry.WithBreaker(b)))
		for range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), ms)
			_, err := call(ctx, cc, readMethod)
			stopped(t, err, codes.DeadlineExceeded, retry.StopDeadline, 1)
			cancel()
		}
	})
}

func TestBreakerThatCannotBe(t *testing.T) {
	r := retry.New(retry.WithBreaker(retry.Breaker{FailureRatio: 2, Window: time.Millisecond}))
	defer r.Close()
	err := r.Check()
	for _, want := range []string{"FailureRatio is 2", "MinAttempts is 0", "Window is 1ms"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Check returned %v, want %q", err, want)
		}
	}
}

package retry_test

import (
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/parley-rpc/parley/interceptors/retry"
)

// After 100 attempts of 20ms, an attempt that hangs is ended after twice that, if another may follow.
func TestAdaptiveTimeout(t *testing.T) {
	for _, tt := range []struct {
		name     string
		method   string
		terms    terms
		training int
		off      bool
		took     time.Duration
		attempts int
		reason   retry.StopReason
	}{
		{"enough samples", writeMethod, terms{}, 100, false, 40*ms + 25*ms + 20*ms, 2, retry.StopOK},
		{"a shorter timeout of the policy", writeMethod, terms{perAttempt: 30 * ms}, 100, false, 30*ms + 25*ms + 20*ms, 2, retry.StopOK},
		{"a longer timeout of the policy", writeMethod, terms{perAttempt: 300 * ms}, 100, false, 40*ms + 25*ms + 20*ms, 2, retry.StopOK},
		{"too few samples", writeMethod, terms{deadline: time.Second}, 99, false, time.Second, 1, retry.StopDeadline},
		{"no attempt may follow", writeMethod, terms{deadline: time.Second, attempts: 1}, 100, false, time.Second, 1, retry.StopDeadline},
		{"must not be repeated", actMethod, terms{deadline: time.Second}, 100, false, time.Second, 1, retry.StopDeadline},
		{"retries are off", writeMethod, terms{deadline: time.Second}, 100, true, time.Second, 1, retry.StopDeadline},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				list := make([]step, tt.training)
				for i := range list {
					list[i] = step{after: 20 * ms}
				}
				l := newLab(t, steps(uncut, append(list, step{after: time.Hour}, step{after: 20 * ms})...))
				r := newRetrier(t, tt.method, tt.terms, retry.WithAdaptiveTimeout())
				cc := l.dial(t, r)
				for range list {
					if _, err := call(t.Context(), cc, tt.method); err != nil {
						t.Fatal(err)
					}
				}
				r.SetRetries(!tt.off)
				start := time.Now()
				_, err := call(t.Context(), cc, tt.method)
				took(t, start, tt.took)
				if tt.reason == retry.StopOK && err != nil {
					t.Error(err)
				}
				if tt.reason != retry.StopOK {
					stopped(t, err, codes.DeadlineExceeded, tt.reason, tt.attempts)
				}
				synctest.Wait()
				l.saw(t, tt.training+tt.attempts)
			})
		})
	}
}

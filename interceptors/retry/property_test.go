package retry_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/rpcerr"
)

// Whatever the policy and the server, a call never makes more attempts than allowed, never lasts longer than its
// deadline, and never sleeps only to be late.
func TestPropertiesOfACall(t *testing.T) {
	const runs = 400
	for seed := range uint64(runs) {
		synctest.Test(t, func(t *testing.T) {
			random := &lockedRand{rand: rand.New(rand.NewPCG(seed, 0))}
			upTo := func(d time.Duration) time.Duration { return 1 + time.Duration(random.IntN(int(d))) }
			chance := func(percent int) bool { return random.IntN(100) < percent }
			method := []string{readMethod, writeMethod, actMethod}[random.IntN(3)]
			s := terms{deadline: upTo(2 * time.Second), attempts: 1 + random.IntN(6), initial: upTo(300 * time.Millisecond)}
			s.limit = s.initial + upTo(time.Second)
			if chance(50) {
				s.perAttempt = min(upTo(300*time.Millisecond), s.deadline/time.Duration(s.attempts))
			}
			var mu sync.Mutex // a handler that was cut off may still run when the next one begins
			var ran []time.Time
			l := newLab(t, func(ctx context.Context, _ int) error {
				mu.Lock()
				ran = append(ran, time.Now())
				mu.Unlock()
				if err := sleep(ctx, upTo(200*time.Millisecond)); err != nil {
					return err
				}
				if chance(20) {
					if err := rpcerr.SetPushback(ctx, upTo(time.Second)-100*time.Millisecond); err != nil {
						return err
					}
				}
				return status.Error([]codes.Code{codes.OK, codes.Unavailable, codes.Unavailable, codes.Unavailable, codes.Internal}[random.IntN(5)], "scripted")
			})
			r := newRetrier(t, method, s, retry.WithRandom(random.Float64))
			start := time.Now()
			_, err := call(t.Context(), l.dial(t, r), method)
			elapsed := time.Since(start)

			mu.Lock()
			defer mu.Unlock()
			attempts := len(ran)
			if attempts > s.attempts || method == actMethod && attempts > 1 {
				t.Errorf("seed %d: %d attempts of %s, at most %d are allowed", seed, attempts, method, s.attempts)
			}
			if elapsed > s.deadline {
				t.Errorf("seed %d: the call took %v, its deadline is %v", seed, elapsed, s.deadline)
			}
			for _, at := range ran[min(1, attempts):] {
				if left := s.deadline - at.Sub(start); left < 5*time.Millisecond {
					t.Errorf("seed %d: an attempt began %v before the deadline", seed, left)
				}
			}
			if b := r.BudgetBalance(); b < 0 || b > 10 {
				t.Errorf("seed %d: the balance is %v", seed, b)
			}
			var failed *retry.Error
			switch {
			case err == nil:
			case !errors.As(err, &failed):
				t.Errorf("seed %d: the call returned %T", seed, err)
			case failed.Attempts != attempts || len(failed.Endpoints) != attempts || failed.Reason == retry.StopOK || failed.Reason == "":
				t.Errorf("seed %d: %+v after %d attempts", seed, failed, attempts)
			case status.Code(err) == codes.Unavailable && failed.Reason == retry.StopDeadline && elapsed == s.deadline:
				t.Errorf("seed %d: the call waited for its deadline, and had a real error", seed)
			}
		})
	}
}

// lockedRand is a seeded source for several goroutines.
type lockedRand struct {
	mu   sync.Mutex
	rand *rand.Rand
}

func (r *lockedRand) IntN(n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rand.IntN(n)
}

func (r *lockedRand) Float64() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rand.Float64()
}

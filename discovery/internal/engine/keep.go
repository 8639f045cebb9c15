package engine

import (
	"context"
	"math/rand/v2"
	"time"
)

// Keep calls renew again and again, at random times of at most a third of ttl, until ctx ends, the lease does not stand
// any more, or until has passed without a renewal. An error of renew says nothing of the lease: it is called again, soon.
//
// Renew returns until when the lease stands without another renewal. Its context ends when the lease would.
func Keep(ctx context.Context, ttl time.Duration, until time.Time, renew func(context.Context) (until time.Time, stands bool, err error)) {
	timer := time.NewTimer(interval(ttl))
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		began := time.Now()
		call, cancel := context.WithDeadline(ctx, until)
		renewed, stands, err := renew(call)
		cancel()
		next := interval(ttl)
		switch {
		case err != nil:
			next /= 4
		case !stands:
			return
		default:
			until = renewed
		}
		left := time.Until(until)
		if left <= 0 {
			return
		}
		// An engine that answers late is asked no less often.
		timer.Reset(max(min(next-time.Since(began), left), 0))
	}
}

// interval is between a sixth and a third of the ttl.
func interval(ttl time.Duration) time.Duration {
	return time.Duration((1 + rand.Float64()) / 6 * float64(ttl)) //nolint:gosec // jitter
}

// Around returns a time that is d, give or take a tenth at random.
func Around(d time.Duration) time.Duration {
	const part = 0.1
	return time.Duration((1 - part + 2*part*rand.Float64()) * float64(d)) //nolint:gosec // jitter
}

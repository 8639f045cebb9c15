package engine

import (
	"context"
	"math/rand/v2"
	"time"
)

// Keep calls renew again and again, at random intervals of at most a third of ttl, until ctx ends, the lease is gone,
// or the time until has passed without a renewal. After an error of renew the lease may still be valid, so Keep soon
// calls renew again.
//
// Renew returns until when the lease is valid without another renewal, and whether it is valid now. The context of
// renew ends when the lease would expire.
func Keep(
	ctx context.Context,
	ttl time.Duration,
	until time.Time,
	renew func(context.Context) (until time.Time, lives bool, err error),
) {
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
		renewed, lives, err := renew(call)
		cancel()
		next := interval(ttl)
		switch {
		case err != nil:
			next /= 4
		case !lives:
			return
		default:
			until = renewed
		}
		left := time.Until(until)
		if left <= 0 {
			return
		}
		// The time that the engine took is part of the interval.
		timer.Reset(max(min(next-time.Since(began), left), 0))
	}
}

// interval is between a sixth and a third of the ttl.
func interval(ttl time.Duration) time.Duration {
	return time.Duration((1 + rand.Float64()) / 6 * float64(ttl)) //nolint:gosec // jitter
}

// Around returns a random duration between 0.9 d and 1.1 d.
func Around(d time.Duration) time.Duration {
	const part = 0.1
	return time.Duration((1 - part + 2*part*rand.Float64()) * float64(d)) //nolint:gosec // jitter
}

package discovery

import (
	"context"
	"time"

	"github.com/parley-rpc/parley/internal/backoff"
)

// pace spaces attempts to reach an engine, so that processes that failed at the same time do not return at the same
// time.
type pace struct {
	config   *config
	failures int
	spread   time.Duration // the least bound of a wait, capped by the configured most
}

// survived takes how long the last success lasted. Only a success that lasted longer than the longest wait resets the
// waits, because an engine that accepts a request and drops it at once is still failing.
func (p *pace) survived(d time.Duration) {
	if d > p.config.backoffMost {
		p.failures = 0
	}
}

// wait waits before the next attempt. It returns false when ctx has ended.
func (p *pace) wait(ctx context.Context) bool {
	p.failures++
	bound := backoff.Bound(p.config.backoff, p.config.backoffMost, p.failures)
	bound = max(bound, min(p.spread, p.config.backoffMost))
	timer := time.NewTimer(backoff.Full(bound, p.config.random))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

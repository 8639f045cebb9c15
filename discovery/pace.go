package discovery

import (
	"context"
	"time"

	"github.com/parley-rpc/parley/internal/backoff"
)

// pace spaces attempts at an engine, so that many processes that fail together do not return together.
type pace struct {
	config   *config
	failures int
	spread   time.Duration // the least bound of a wait, below that of the configuration
}

// survived tells how long the last success lasted. Only one that outlived the longest wait starts the waits anew: an
// engine that accepts and drops at once is still failing.
func (p *pace) survived(d time.Duration) {
	if d > p.config.backoffMost {
		p.failures = 0
	}
}

// wait waits before the next attempt and tells whether there is to be one.
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

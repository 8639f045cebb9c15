package retry

import (
	"context"
	"time"
)

// WithAdaptiveTimeout ends each attempt but the last after twice the time in which 99 of 100 attempts of its method
// succeed, at least 5ms, so that another attempt has time. It needs 100 attempts to know that time. A per-attempt timeout
// of the policy still holds if it is shorter. An attempt is ended only if another could follow it: not for methods that
// must not be repeated, nor without budget. By default only the policy's timeout holds.
func WithAdaptiveTimeout() Option {
	return option{"retry.WithAdaptiveTimeout()", func(c *config) { c.extras.adaptive = true }}
}

// attemptTimeout bounds the next attempt; 0 is for none.
func (c *call) attemptTimeout(ctx context.Context) time.Duration {
	limit := c.policy.perAttempt
	if !c.policy.adaptive {
		return limit
	}
	p99, ok := c.policy.facts.p99.value()
	if !ok || c.retrier.budget.tokens.Load() < token || c.barred(ctx) != "" {
		return limit
	}
	adapted := max(2*p99, minAttempt)
	if limit == 0 {
		return adapted
	}
	return min(limit, adapted)
}

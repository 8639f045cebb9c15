package retry

import (
	"context"
	"time"

	"github.com/parley-rpc/parley/interceptors/retry/internal/operation"
)

// RunOperation is for the packages beside this one, such as httpretry: it runs work that is not an RPC through the same
// loop, budget and events as a call. Only they can name its argument.
func (r *Retrier) RunOperation(ctx context.Context, op operation.Operation) error {
	if r.mistakes != nil {
		return refusal(r.mistakes)
	}
	if r.lifetime.Err() != nil {
		return closedError()
	}
	m, err := r.compile(op.Terms)
	if err != nil {
		return refusal(err)
	}
	now := time.Now()
	c := &call{wire: wire{method: m.name, operate: op.Try}, retrier: r, policy: m}
	c.setDeadline(ctx, now)
	return c.run(ctx, now)
}

// perform makes one attempt of an operation.
func (c *call) perform(ctx context.Context, until time.Time) error {
	done := c.operate(ctx, until)
	c.trailer = done.Trailer
	return done.Err
}

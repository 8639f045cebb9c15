package retry

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"

	"github.com/parley-rpc/parley/internal/backoff"
)

// judge decides whether there is another attempt after f, and how long to wait for it. The questions are ordered by what
// they cost, and the budget is charged last.
func (c *call) judge(ctx context.Context, f *failure) (delay time.Duration, stop StopReason) {
	stop = c.ended(ctx, f.at)
	if c.last == nil || !c.over || !interrupted(f.status.Code()) {
		c.last = f.err
	}
	if stop != "" {
		return 0, stop
	}
	if c.attempts >= c.policy.attempts || c.leftToGRPC() {
		return 0, StopAttemptsExhausted
	}
	if !c.retryable(f) {
		return 0, StopNotRetryable
	}
	if !c.policy.repeatable && !c.policy.keyed && !f.unprocessed && !c.continued {
		return 0, StopNotIdempotent
	}
	if f.hint.pushback.Said {
		c.showPushback(ctx, f)
	}
	if c.forbidden && !f.hint.pushback.Stop {
		return 0, StopPushback
	}
	if f.hint.pushback.Stop {
		// A refusal weighs as much as an attempt that was made and failed (gRFC A6).
		c.retrier.budget.drain()
		return 0, StopPushback
	}
	// When a credential ends, it does so for many calls at once, and it is no sign of load.
	c.unpaid = f.renewed
	if !c.unpaid {
		stop = c.barred(ctx)
	}
	if stop != "" {
		return 0, stop
	}
	delay, ok := c.plan(f)
	if !ok {
		return 0, StopDeadline
	}
	if !c.unpaid && !c.retrier.budget.withdraw() {
		return 0, StopBudget
	}
	return delay, ""
}

// ended tells whether the caller, the time, or the channel is gone.
func (c *call) ended(ctx context.Context, now time.Time) StopReason {
	switch err := ctx.Err(); {
	case errors.Is(err, context.Canceled):
		c.over = true
		return StopCanceled
	case err != nil, !now.Before(c.deadline):
		c.over = true
		return StopDeadline
	case c.retrier.lifetime.Err() != nil, c.conn != nil && c.conn.GetState() == connectivity.Shutdown:
		return StopClosing
	default:
		return ""
	}
}

// leftToGRPC tells whether gRPC itself retries the method, and says so once.
func (c *call) leftToGRPC() bool {
	if c.conn == nil || c.conn.GetMethodConfig(c.method).RetryPolicy == nil {
		return false
	}
	c.retrier.native.Do(func() {
		if c.nativeOff {
			c.retrier.logger.Warn("the service config has a retry policy, which is ignored: Parley retries this channel; take the policy out",
				slog.String("target", c.conn.Target()), slog.String("method", c.method))
			return
		}
		c.retrier.logger.Warn("the service config has a retry policy, so Parley's retry is off for such methods; take the policy out, and dial with DialOptions of the Retrier",
			slog.String("target", c.conn.Target()), slog.String("method", c.method))
	})
	return !c.nativeOff
}

// retryable tells whether a failure is of a kind that may go away. Only then it reads what the server said beside it.
func (c *call) retryable(f *failure) bool {
	code := f.status.Code()
	f.renewed = f.renewed && code == codes.Unauthenticated && !c.renewed && !f.cut && c.classify == nil
	if f.cut {
		return true
	}
	if c.classify != nil {
		return c.classified(f)
	}
	if !c.policy.codes.has(code) && !f.renewed {
		return false
	}
	c.renewed = c.renewed || f.renewed
	f.hint = hintOf(f.status, c.trailer)
	if code == codes.ResourceExhausted || f.hint.quota {
		return f.hint.any()
	}
	return true
}

// plan returns how long to wait, or false if too little time would be left for an attempt of the usual length.
func (c *call) plan(f *failure) (time.Duration, bool) {
	slack := c.deadline.Sub(f.at) - c.policy.typical()
	if f.hint.pushback.Said {
		delay := max(f.hint.pushback.Wait, f.hint.wait)
		c.doublings = 0
		return delay, delay <= slack
	}
	if slack <= 0 || slack < c.policy.initialBackoff/2 || f.hint.wait > slack {
		return 0, false
	}
	if f.renewed {
		return f.hint.wait, true // nothing has to recover
	}
	c.doublings++
	delay := backoff.Full(min(c.policy.bound(c.doublings), slack), c.retrier.random)
	return max(delay, f.hint.wait), true
}

// wait waits before the next attempt. If something ends the wait first, it says what, and the attempt is not paid for.
func (c *call) wait(ctx context.Context, delay time.Duration) (stop StopReason) {
	from := time.Now()
	c.pause(ctx, delay)
	now := time.Now()
	c.waited += now.Sub(from)
	stop = c.ended(ctx, now)
	switch {
	case c.unpaid:
	case stop != "":
		c.retrier.budget.refund()
	default:
		c.retrier.budget.spent.Add(1)
	}
	return stop
}

// pause returns after delay, or when ctx, the Retrier or the connection ends.
func (c *call) pause(ctx context.Context, delay time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, delay)
	defer cancel()
	defer context.AfterFunc(c.retrier.lifetime, cancel)()
	if c.conn == nil {
		<-ctx.Done()
		return
	}
	for ctx.Err() == nil {
		state := c.conn.GetState()
		if state == connectivity.Shutdown || !c.conn.WaitForStateChange(ctx, state) {
			return
		}
	}
}

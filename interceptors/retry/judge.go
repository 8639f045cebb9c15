package retry

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"

	"github.com/parley-rpc/parley/internal/backoff"
)

// again decides whether another attempt follows f, and waits for it.
func (c *call) again(ctx context.Context, f *failure) StopReason {
	if c.needsConnection(f) {
		if stop, connected := c.awaitConnection(ctx, f); stop != "" || connected {
			return stop
		}
		f.at = time.Now()
	}
	delay, stop := c.judge(ctx, f)
	if stop == "" {
		c.showWait(ctx, f, delay)
		stop = c.wait(ctx, delay)
	}
	return stop
}

// judge decides whether another attempt follows f, and how long to wait for it. The questions are ordered by what they
// cost, and the budget is charged last.
func (c *call) judge(ctx context.Context, f *failure) (delay time.Duration, stop StopReason) {
	stop = c.ended(ctx, f.at)
	c.gone = stop == StopCanceled || stop == StopDeadline
	if c.last == nil || !c.gone || !interrupted(f.status.Code()) {
		c.last = f.err
	}
	if stop == "" {
		stop = c.refuses(ctx, f)
	}
	if stop == "" {
		var inTime bool
		if delay, inTime = c.plan(f); !inTime {
			stop = StopDeadline
		}
	}
	return delay, c.pay(f, stop)
}

// ended reports whether the caller, the time, or the channel is gone.
func (c *call) ended(ctx context.Context, now time.Time) StopReason {
	switch err := ctx.Err(); {
	case errors.Is(err, context.Canceled):
		return StopCanceled
	case err != nil, !now.Before(c.deadline):
		return StopDeadline
	case c.retrier.lifetime.Err() != nil, c.conn != nil && c.conn.GetState() == connectivity.Shutdown:
		return StopClosing
	default:
		return ""
	}
}

// refuses answers whether another attempt may follow one that has ended with f, apart from the time and the budget.
func (c *call) refuses(ctx context.Context, f *failure) StopReason {
	switch {
	case c.exhausted():
		return StopAttemptsExhausted
	case !c.retryable(f):
		return StopNotRetryable
	case !f.unprocessed && !c.repeatable():
		return StopNotIdempotent
	}
	if f.hint.pushback.Said {
		c.showPushback(ctx, f)
	}
	if f.hint.pushback.Stop {
		// A refusal weighs as much as an attempt that was made and failed (gRFC A6).
		c.retrier.budget.drain()
		return StopPushback
	}
	// Such ends come to many calls at once, and are no sign of load.
	return c.heldBack(ctx, f.renewed || f.planned)
}

// retryable reports whether a failure is of a kind that may go away. Only then it reads what the server said beside it.
func (c *call) retryable(f *failure) bool {
	if f.cut || f.silent {
		f.renewed, f.planned = false, false
		return true
	}
	code := f.status.Code()
	f.renewed = f.renewed && code == codes.Unauthenticated && !c.renewed && c.classify == nil
	f.planned = f.planned && c.mayLeave(f.at)
	if c.classify != nil {
		return c.classified(f)
	}
	if !c.policy.codes.has(code) && !f.renewed && !f.planned {
		return false
	}
	f.hint = hintOf(f.status, c.trailer)
	if code == codes.ResourceExhausted || f.hint.quota {
		return f.hint.any()
	}
	return true
}

// mayLeave reports whether a planned end at that moment is moved on from for free. A server that announces its end
// again and again would otherwise be asked without a bound.
func (c *call) mayLeave(at time.Time) bool {
	return c.policy.attempts > 1 && (c.left.IsZero() || at.Sub(c.left) >= plannedInterval)
}

// plan returns how long to wait, or false if too little time would be left for an attempt of the usual length.
func (c *call) plan(f *failure) (time.Duration, bool) {
	slack := c.slack(f.at)
	if f.hint.pushback.Said {
		c.doublings = 0
		wait := max(f.hint.pushback.Wait, f.hint.wait)
		return c.spread(wait, slack), wait <= slack
	}
	if !c.hasSlack(f.at) || f.hint.wait > slack {
		return 0, false
	}
	if f.renewed {
		return f.hint.wait, true // nothing has to recover
	}
	doublings := 1
	if !f.planned {
		c.doublings++
		doublings = c.doublings
	}
	delay := backoff.Full(min(c.policy.bound(doublings), slack), c.retrier.random)
	if f.hint.wait > delay {
		return c.spread(f.hint.wait, slack), true
	}
	return delay, true
}

// spread is a wait that a server asked for, or up to a tenth more: the server said the same to many callers, who should
// not come back all at once.
func (c *call) spread(wait, slack time.Duration) time.Duration {
	more := time.Duration(float64(wait) * waitSpread * c.retrier.random())
	return max(wait, min(wait+more, slack))
}

// pay takes the token for the next attempt, unless one is reserved or that attempt is free, or gives back what is
// reserved if there is none.
func (c *call) pay(f *failure, stop StopReason) StopReason {
	switch {
	case stop != "":
		c.release()
	case f.renewed:
		c.renewed = true
		c.release()
	case f.planned:
		c.left = f.at
		c.free++
		c.release()
	case f.silent:
		c.release()
	case c.reserved:
	case c.retrier.budget.withdraw():
		c.reserved = true
	default:
		return StopBudget
	}
	return stop
}

// release gives back the token that is reserved for the next attempt, if any.
func (c *call) release() {
	if c.reserved {
		c.retrier.budget.refund()
	}
	c.reserved = false
}

// wait waits before the next attempt. If something ends the wait first, it says what, and the attempt is not paid for.
func (c *call) wait(ctx context.Context, delay time.Duration) StopReason {
	stop := c.interruptible(ctx, delay, func(ctx context.Context) {
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
	})
	if stop != "" {
		c.release()
		return stop
	}
	if c.charged = c.reserved; c.charged {
		c.retrier.budget.spent.Add(1)
	}
	c.reserved = false
	return ""
}

// interruptible runs pause with a context that ends after limit and with the Retrier, and returns what has ended the
// call meanwhile.
func (c *call) interruptible(ctx context.Context, limit time.Duration, pause func(context.Context)) StopReason {
	from := time.Now()
	waiting, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	defer context.AfterFunc(c.retrier.lifetime, cancel)()
	pause(waiting)
	now := time.Now()
	c.waited += now.Sub(from)
	stop := c.ended(ctx, now)
	c.gone = stop == StopCanceled || stop == StopDeadline
	return stop
}

package retry

import (
	"context"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/rpcerr"
)

// previousAttemptsKey tells the server how many attempts came before this one (gRFC A6).
const previousAttemptsKey = "grpc-previous-rpc-attempts"

// failure is how an attempt failed.
type failure struct {
	err    error
	status *status.Status
	at     time.Time
	// The per-attempt timeout ended it. The server may have run the method.
	cut bool
	// It is proven that the method did not run.
	unprocessed bool
	hint        hint
}

// cause is why the attempt failed, for the span.
func (f *failure) cause() string {
	if f.cut {
		return "per_try_timeout"
	}
	return codeName(f.status.Code())
}

// try makes one attempt, which begins now. It returns nil if that succeeded.
func (c *call) try(ctx context.Context, now time.Time) *failure {
	c.attempts++
	ctx, this := attempt.NewContext(ctx, c.attempts, false, c.tried)
	if c.attempts > 1 {
		ctx = announce(ctx, c.attempts-1)
		c.resetOptions()
	}
	until, cutting := c.until(now)
	if cutting || c.limit != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, until)
		defer cancel()
	}
	err := c.invoker(ctx, c.method, c.req, c.reply, c.conn, c.options...)
	end := time.Now()
	if err == nil {
		c.policy.latency.observe(end.Sub(now))
		c.retrier.budget.success(c.attempts > 1)
		return nil
	}
	f := &failure{
		err:         err,
		status:      statusOf(err),
		at:          end,
		unprocessed: this.NeverSent() || rpcerr.Unprocessed(c.trailer),
	}
	// Compared by time, because the server's own timer may end the attempt a moment before ours does.
	f.cut = cutting && interrupted(f.status.Code()) && !end.Before(until)
	c.reached(this.Endpoint())
	return f
}

// until is when an attempt that begins now is ended, and whether that is its own timeout rather than the deadline of the
// call. The last attempt has no timeout, since nothing would come after it.
func (c *call) until(now time.Time) (at time.Time, cutting bool) {
	limit := c.policy.perAttempt
	if limit == 0 || c.attempts >= c.policy.attempts {
		return c.deadline, false
	}
	if at = now.Add(limit); at.Before(c.deadline) {
		return at, true
	}
	return c.deadline, false
}

// reached keeps the endpoint of the attempt that has ended.
func (c *call) reached(endpoint string) {
	c.endpoints = append(c.endpoints, endpoint)
	if endpoint != "" && !slices.Contains(c.tried, endpoint) {
		c.tried = append(c.tried, endpoint)
	}
}

// interrupted tells whether a code is what the end of a context looks like.
func interrupted(code codes.Code) bool {
	return code == codes.DeadlineExceeded || code == codes.Canceled
}

// announce tells the server how many attempts came before. It replaces what the caller may have put there.
func announce(ctx context.Context, previous int) context.Context {
	md, ok := metadata.FromOutgoingContext(ctx)
	if !ok {
		md = metadata.MD{}
	}
	md.Set(previousAttemptsKey, strconv.Itoa(previous))
	return metadata.NewOutgoingContext(ctx, md)
}

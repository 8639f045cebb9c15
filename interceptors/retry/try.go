package retry

import (
	"context"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
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
	// The server refused the credential of the attempt, and there is a new one.
	renewed bool
	hint    hint
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
	caller := ctx
	ctx, this := c.number(ctx, false)
	this.SetRenewable(c.renewable())
	if c.attempts > 1 {
		c.resetOptions()
	}
	until, cutting := c.until(caller, now)
	if cutting || c.limit != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, until)
		defer cancel()
	}
	err := c.invoker(ctx, c.method, c.req, c.reply, c.conn, c.options...)
	took := time.Since(now)
	if err == nil {
		c.policy.succeeded(took)
		c.retrier.budget.success(c.attempts > 1 && !c.unpaid)
		return nil
	}
	if c.told != nil {
		c.trailer = c.told.trailer
	}
	c.endpoints = append(c.endpoints, this.Endpoint())
	c.avoid(sentTo(this))
	return c.failure(caller, this, err, now, now.Add(took), until, cutting)
}

// number counts the next attempt and makes its context.
func (c *call) number(ctx context.Context, hedge bool) (context.Context, *attempt.Attempt) {
	c.attempts++
	if hedge {
		c.hedges++
	}
	ctx, this := attempt.NewContext(ctx, c.attempts, hedge, c.tried)
	if c.renewed {
		this.FollowRenewal()
	}
	if c.attempts > 1 {
		ctx = announce(ctx, c.attempts-1)
	}
	return ctx, this
}

// renewable tells whether a new credential would allow another attempt. An operation knows nothing of credentials. The attempts
// of a race are not asked, because a refusal of one must not end the others.
func (c *call) renewable() bool {
	return !c.renewed && c.conn != nil && c.attempts < c.policy.attempts &&
		(c.nativeOff || c.conn.GetMethodConfig(c.method).RetryPolicy == nil)
}

// failure makes the failure of an attempt that has ended, whose trailer is c.trailer.
func (c *call) failure(caller context.Context, this *attempt.Attempt, err error, begun, end, until time.Time, cutting bool) *failure {
	f := &failure{
		err:    err,
		status: statusOf(err),
		at:     end,
		// What else an operation did besides a call that never left is not known.
		unprocessed: c.classify == nil && (this.NeverSent() || rpcerr.Unprocessed(c.trailer)),
		renewed:     this.Renewed(),
	}
	// Compared by time, because the server's own timer may end the attempt a moment before ours does.
	f.cut = cutting && interrupted(f.status.Code()) && !end.Before(until)
	if f.cut {
		c.policy.facts.atLeast(end.Sub(begun))
	}
	if caller.Err() == nil {
		c.policy.facts.answered(end, f.status.Code())
	}
	return f
}

// until is when an attempt that begins now is ended, and whether that is its own timeout rather than the deadline of the
// call. The last attempt has no timeout, since nothing would come after it.
func (c *call) until(ctx context.Context, now time.Time) (at time.Time, cutting bool) {
	if c.attempts >= c.policy.attempts {
		return c.deadline, false
	}
	limit := c.attemptTimeout(ctx)
	if limit == 0 {
		return c.deadline, false
	}
	if at = now.Add(limit); at.Before(c.deadline) {
		return at, true
	}
	return c.deadline, false
}

// sentTo is the endpoint of an attempt that has ended, in the picker's words for it if it had any.
func sentTo(this *attempt.Attempt) string {
	if chosen := this.Choice().Endpoint; chosen != "" {
		return chosen
	}
	return this.Endpoint()
}

// avoid keeps an endpoint for later attempts to see.
func (c *call) avoid(endpoint string) {
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

// takeOptions makes the options of the attempts: those of the caller, without OnFinish, which is for the call, and one
// that keeps the trailer.
func (c *call) takeOptions(opts []grpc.CallOption) {
	c.options = c.told.room[:0]
	for _, o := range opts {
		if _, ok := o.(grpc.OnFinishCallOption); !ok {
			c.options = append(c.options, o)
		}
	}
	// Clipped, so that what an interceptor appends for one attempt is not written where the next one reads.
	c.options = slices.Clip(append(c.options, grpc.Trailer(&c.told.trailer)))
}

// resetOptions empties what the attempt before has left in the caller's variables. gRPC does not write there if an
// attempt reaches no server.
func (c *call) resetOptions() {
	for _, o := range c.options {
		switch o := o.(type) {
		case grpc.HeaderCallOption:
			*o.HeaderAddr = nil
		case grpc.TrailerCallOption:
			*o.TrailerAddr = nil
		case grpc.PeerCallOption:
			*o.PeerAddr = peer.Peer{}
		}
	}
}

// finish calls the caller's OnFinish options, and returns err.
func finish(opts []grpc.CallOption, err error) error {
	for _, o := range opts {
		if o, ok := o.(grpc.OnFinishCallOption); ok {
			o.OnFinish(err)
		}
	}
	return err
}

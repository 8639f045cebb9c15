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
	// Its endpoint is silent, and others answer. The server may have run the method.
	silent bool
	// It is proven that no byte of it left the client.
	unsent bool
	// The service has no endpoint that it could have been sent to.
	nowhere bool
	// It is proven that the method did not run.
	unprocessed bool
	// The server refused the credential of the attempt, and there is a new one.
	renewed bool
	// The connection or the stream has ended as one of its ends had announced.
	planned bool
	hint    hint
}

// cause is why the attempt failed, for the span.
func (f *failure) cause() string {
	if f.cut {
		return "per_try_timeout"
	}
	if f.silent {
		return "silent_endpoint"
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
	movable, d := c.room(caller, now)
	c.markHurried(this, now, d)
	var limited *limit
	if c.limit != nil || movable || d > 0 {
		var cancel context.CancelFunc
		if c.limit != nil {
			ctx, cancel = context.WithDeadline(ctx, c.deadline)
		} else {
			ctx, cancel = context.WithCancel(ctx)
		}
		defer cancel()
		if movable {
			this.EndOnSilence(c.lastMove(), cancel)
			defer this.Left()
		}
		if d > 0 {
			limited = c.limited(caller, this, d, cancel)
			defer func() { limited.finish() }() // an interceptor may panic
		}
	}
	err := c.invoker(ctx, c.method, c.req, c.reply, c.conn, c.options...)
	end := now.Add(time.Since(now))
	cut := limited.finish()
	limited = nil
	c.reserved = !cut.IsZero()
	if err == nil {
		c.release()
		c.policy.observeSuccess(end.Sub(now))
		c.retrier.budget.success(c.charged)
		return nil
	}
	if c.shared != nil {
		c.trailer = c.shared.trailer
	}
	c.endpoints = append(c.endpoints, this.Endpoint())
	c.avoid(sentTo(this))
	return c.failure(caller, this, err, now, end, cut)
}

// number counts the next attempt and makes its context.
func (c *call) number(ctx context.Context, hedge bool) (context.Context, *attempt.Attempt) {
	c.attempts++
	if hedge {
		c.hedges++
	}
	previous := c.counted() - 1
	if previous == 0 && repeated(ctx) {
		previous = 1 // of the call above, so that what is called does not try again either
	}
	ctx, this := attempt.NewContext(ctx, c.attempts, hedge, c.tried)
	if c.renewed {
		this.FollowRenewal()
	}
	if previous > 0 {
		ctx = announce(ctx, previous)
	}
	return ctx, this
}

// renewable reports whether a new credential would allow another attempt. An operation knows nothing of credentials.
// The attempts of a race are not asked, because a refusal of one must not end the others.
func (c *call) renewable() bool {
	return !c.renewed && c.conn != nil && c.attempts < c.policy.attempts &&
		(c.nativeOff || c.conn.GetMethodConfig(c.method).RetryPolicy == nil)
}

// failure makes the failure of an attempt that has ended, whose trailer is c.trailer. Cut is when the per-attempt
// timeout ended it, and zero if it did not.
func (c *call) failure(caller context.Context, this *attempt.Attempt, err error, begun, end, cut time.Time) *failure {
	f := &failure{err: err, status: statusOf(err), at: end, renewed: this.Renewed()}
	f.unsent = c.classify == nil && this.NeverSent()
	f.nowhere = this.Nowhere()
	f.markSilent(this)
	// What else an operation did besides a call that never left is not known.
	f.unprocessed = f.unsent || c.classify == nil && rpcerr.Unprocessed(c.trailer)
	f.planned = c.classify == nil && f.status.Code() == codes.Unavailable && rpcerr.ReasonOf(err) == rpcerr.PlannedEnd
	if f.cut = !cut.IsZero() && interrupted(f.status.Code()); f.cut {
		f.at = cut // when it was decided that another attempt has time
		c.policy.stats.observeAbandoned(end.Sub(begun))
	}
	if caller.Err() == nil && !f.planned {
		c.policy.stats.observeStatus(end, f.status.Code())
	}
	return f
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

// interrupted reports whether a code is what the end of a context looks like.
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
	c.options = c.shared.room[:0]
	for _, o := range opts {
		if _, ok := o.(grpc.OnFinishCallOption); !ok {
			c.options = append(c.options, o)
		}
	}
	// Clipped, so that what an interceptor appends for one attempt is not written where the next one reads.
	c.options = slices.Clip(append(c.options, grpc.Trailer(&c.shared.trailer)))
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

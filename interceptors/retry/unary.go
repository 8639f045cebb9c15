package retry

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/policy"
)

// UnaryClientInterceptor makes the attempts of a unary call, for those who chain interceptors by hand: it belongs
// outside of everything that should happen once for each attempt. Whether a failed attempt was ever sent is known only
// if the innermost interceptor is Parley's, that of package auth or of package attempt. gRPC's own retry must be off,
// see [Retrier.DialOptions] and [WithNativeRetryOff].
//
// Its errors are [*Error], or [*rpcerr.Error] with the reason CONFIGURATION_INVALID if the Retrier or the policy of the
// method is configured wrongly.
func (r *Retrier) UnaryClientInterceptor(
	ctx context.Context,
	method string,
	req, reply any,
	cc *grpc.ClientConn,
	invoker grpc.UnaryInvoker,
	opts ...grpc.CallOption,
) error {
	return r.unary(ctx, wire{method, cc, r.settings.nativeOff}, unaryWire{req, reply, invoker}, opts)
}

// dialledUnary is UnaryClientInterceptor for a channel that was dialled with DialOptions.
func (r *Retrier) dialledUnary(
	ctx context.Context,
	method string,
	req, reply any,
	cc *grpc.ClientConn,
	invoker grpc.UnaryInvoker,
	opts ...grpc.CallOption,
) error {
	return r.unary(ctx, wire{method, cc, true}, unaryWire{req, reply, invoker}, opts)
}

// wire is where the attempts of a call go.
type wire struct {
	method    string
	conn      *grpc.ClientConn
	nativeOff bool // gRPC's own retry is known to be off
}

// unaryWire is how a unary call goes on the wire.
type unaryWire struct {
	req, reply any
	invoker    grpc.UnaryInvoker
}

// call is one call and its attempts. One goroutine uses it.
type call struct {
	standing
	unaryWire

	limit *policy.Value[time.Duration] // what set the deadline, nil for the caller

	hedges    int // of the attempts
	doublings int // waits since the last pushback
	waited    time.Duration
	last      error    // of the last attempt that ended by itself, or of the first
	endpoints []string // by attempt
	tried     []string // endpoints, each once

	trailer metadata.MD // of the last attempt that failed
	renewed bool        // an attempt was allowed because there was a new credential
	kept    bool        // req is the call's own
	gone    bool        // the deadline has passed, or the caller gave up

	left       time.Time // when the call last moved on from a planned end for free
	connecting time.Time // when it first waited for a connection
	endless    bool      // it has no deadline
	reserved   bool      // a token is withdrawn for the next attempt
	charged    bool      // the attempt that is out, or was last, has cost a token

	classify func(error) Classification // nil for gRPC
	options  []grpc.CallOption
	shared   *shared // nil for a stream, and for an operation
}

// shared is what a unary call shares with gRPC, and apart from it for that reason: the call itself then stays on the
// stack.
type shared struct {
	trailer metadata.MD        // of the last attempt
	room    [3]grpc.CallOption // for the options, so that most calls need no further memory
}

func (r *Retrier) unary(ctx context.Context, w wire, u unaryWire, opts []grpc.CallOption) error {
	m, err := r.method(w.method)
	if err != nil {
		return finish(opts, err)
	}
	ctx, err = withKey(ctx, m)
	if err != nil {
		return finish(opts, err)
	}
	now := time.Now()
	c := &call{standing: standing{wire: w, retrier: r, policy: m}, unaryWire: u, shared: new(shared)}
	c.takeOptions(opts)
	c.setDeadline(ctx, now)
	c.showDeadline(ctx)
	return finish(opts, c.run(ctx, now))
}

// setDeadline decides when the call must be over. A default does not shorten what the caller states.
func (c *call) setDeadline(ctx context.Context, now time.Time) {
	callers, has := ctx.Deadline()
	own := &c.policy.deadline
	if !own.Stated() {
		own = &c.retrier.deadline
	}
	c.deadline, c.limit = now.Add(own.Value), own
	if has && (!c.policy.deadline.Stated() || !c.deadline.Before(callers)) {
		c.deadline, c.limit = callers, nil
	}
}

// run makes attempts until one succeeds or there is a reason to stop.
func (c *call) run(ctx context.Context, now time.Time) error {
	if err := c.tooLate(ctx, now); err != nil {
		return err
	}
	for {
		var f *failure
		if c.policy.hedges > 0 {
			f = c.hedged(ctx, now)
		} else {
			f = c.try(ctx, now)
		}
		if f == nil {
			c.showEnd(ctx, StopOK)
			return nil
		}
		if stop := c.again(ctx, f); stop != "" {
			c.showEnd(ctx, stop)
			return c.failed(f, stop)
		}
		now = time.Now()
	}
}

// tooLate is the error of a call whose caller or time was gone before its first attempt.
func (c *call) tooLate(ctx context.Context, now time.Time) error {
	if ctx.Err() == nil && now.Before(c.deadline) {
		return nil
	}
	stop := StopCanceled
	if c.last = ctx.Err(); !errors.Is(c.last, context.Canceled) {
		stop, c.last = StopDeadline, context.DeadlineExceeded
	}
	c.gone = true
	c.showEnd(ctx, stop)
	return c.failed(&failure{}, stop)
}

// failed makes the error of the call.
func (c *call) failed(f *failure, stop StopReason) error {
	st := f.status
	if !c.gone {
		c.retrier.budget.suppress(stop)
	} else {
		st = c.endStatus(stop)
	}
	return &Error{
		Attempts: c.attempts, Reason: stop, Last: c.last, Endpoints: c.endpoints,
		status: st, operation: c.classify != nil, gone: c.gone,
	}
}

package retry

import (
	"context"
	"reflect"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"

	"github.com/parley-rpc/parley/attempt"
)

// race is a call whose attempts are out at the same time. The first success ends it. A failure that could be retried
// never beats an attempt that is still out: it sends the next hedge at once. Any other failure is an answer, and ends
// the race too (gRFC A6).
type race struct {
	call    *call
	ctx     context.Context
	results chan *hedge
	expired chan *hedge // whose per-attempt timeout has passed
	out     []*hedge
}

// hedge is one attempt of a race, the first included, with memory of its own for all that gRPC writes. Its goroutine
// sends it to the race when it has ended; one that was abandoned then becomes garbage.
type hedge struct {
	number  int
	charged bool // it has cost a token
	this    *attempt.Attempt
	begun   time.Time
	timer   *time.Timer // of the per-attempt timeout, nil for none
	cut     time.Time   // when that ended the attempt, zero if it did not
	cancel  context.CancelFunc

	reply   any
	header  metadata.MD
	trailer metadata.MD
	peer    peer.Peer

	err    error
	end    time.Time
	thrown thrown
}

// race makes an attempt, and others beside it while it takes longer than delay. It returns nil if one succeeded, and
// otherwise the failure of the one that ended it.
func (c *call) race(ctx context.Context, now time.Time, delay time.Duration) *failure {
	r := &race{
		call:    c,
		ctx:     ctx,
		results: make(chan *hedge, c.policy.attempts),
		expired: make(chan *hedge, c.policy.attempts),
	}
	defer r.abandon(c.keepRequest())
	r.start(now, false)
	timer := time.NewTimer(delay)
	defer timer.Stop()
	for {
		select {
		case x := <-r.results:
			r.out = slices.DeleteFunc(r.out, func(o *hedge) bool { return o == x })
			x.thrown.rethrow()
			x.leave()
			if x.err == nil {
				r.win(x)
				return nil
			}
			f := r.lose(x)
			if !c.retryable(f) || len(r.out) == 0 {
				c.deliver(x)
				return f
			}
			c.last = f.err
			if r.heed(f) {
				timer.Reset(c.spread(max(f.hint.pushback.Wait, f.hint.wait), c.slack(f.at)))
			} else {
				timer.Stop()
			}
		case x := <-r.expired:
			r.expire(x)
		case <-timer.C:
			if r.hedge(time.Now()) {
				timer.Reset(delay)
			}
		}
	}
}

// start begins an attempt.
func (r *race) start(now time.Time, beside bool) {
	c := r.call
	c.endpoints = append(c.endpoints, "")
	ctx, this := c.number(r.ctx, beside)
	x := &hedge{number: c.attempts, charged: c.charged, this: this, begun: now, reply: another(c.reply)}
	ctx, x.cancel = context.WithDeadline(ctx, c.deadline)
	movable, d := c.room(r.ctx, now)
	if movable {
		this.EndOnSilence(c.lastMove(), x.cancel)
	}
	c.markHurried(this, now, d)
	if d > 0 {
		x.timer = time.AfterFunc(d, func() { r.expired <- x }) // has room for all attempts
	}
	options := x.own(c.options)
	invoker, method, req, conn, logger := c.invoker, c.method, c.req, c.conn, c.retrier.logger
	r.out = append(r.out, x)
	results := r.results
	go func() { // ends with its context, which the call ends
		defer func() {
			x.end = time.Now()
			results <- x // has room for all attempts
		}()
		x.thrown.catch(logger, method, func() { x.err = invoker(ctx, method, req, x.reply, conn, options...) })
	}()
}

// expire ends an attempt whose timeout has passed, if another one may follow and is paid for. There is one token
// reserved at most, so a second such attempt has all the time that is left.
func (r *race) expire(x *hedge) {
	now := time.Now()
	if !r.call.reserved && slices.Contains(r.out, x) && r.call.affords(r.ctx, now) {
		r.call.reserved = true
		x.cut = now
		x.this.Expire(x.cancel)
	}
}

// hedge begins another attempt beside those that are out, if that may be.
func (r *race) hedge(now time.Time) bool {
	c := r.call
	gone := c.retrier.lifetime.Err() != nil || r.ctx.Err() != nil
	if gone || len(r.out) > c.policy.hedges || !c.hasTime(now) || r.alone() || c.refusesMore(r.ctx) != "" {
		return false
	}
	if !c.reserved && !c.retrier.budget.withdraw() {
		return false
	}
	for _, x := range r.out {
		c.avoid(x.this.Choice().Endpoint) // what it has reached is known only when it has ended
	}
	c.reserved, c.charged = false, true
	c.retrier.budget.spent.Add(1)
	c.showHedge(r.ctx, r.out[len(r.out)-1], now)
	r.start(now, true)
	return true
}

// alone reports whether the picker has no other endpoint than those of the attempts that are out.
func (r *race) alone() bool {
	return slices.ContainsFunc(r.out, func(x *hedge) bool { return x.this.Choice().Alone })
}

// heed reports whether the server allows another hedge, after a failure while others are out.
func (r *race) heed(f *failure) bool {
	c := r.call
	if f.hint.pushback.Said {
		c.showPushback(r.ctx, f)
	}
	if f.hint.pushback.Stop {
		c.retrier.budget.drain()
		c.forbidden = true
	}
	return !c.forbidden
}

// win takes over what the attempt brought. A retry that succeeds gives its token back, because it was needed. A hedge
// does not: of it and the attempt beside it, one was in vain.
func (r *race) win(x *hedge) {
	c := r.call
	c.release()
	c.policy.observeSuccess(x.end.Sub(x.begun))
	for _, o := range r.out {
		c.policy.stats.observeAbandoned(x.end.Sub(o.begun))
	}
	c.retrier.budget.success(x.charged && !x.this.Hedge())
	take(c.reply, x.reply)
	c.deliver(x)
}

// lose makes the failure of an attempt.
func (r *race) lose(x *hedge) *failure {
	c := r.call
	c.trailer = x.trailer
	c.endpoints[x.number-1] = x.this.Endpoint()
	c.avoid(sentTo(x.this))
	return c.failure(r.ctx, x.this, x.err, x.begun, x.end, x.cut)
}

// abandon ends the attempts that are still out. Only if they share memory with the caller it waits for them.
func (r *race) abandon(detached bool) {
	for _, x := range r.out {
		x.leave()
		r.call.endpoints[x.number-1] = x.this.Choice().Endpoint
	}
	if !detached {
		for range r.out {
			<-r.results
		}
	}
}

// leave lets go of an attempt that has ended or is abandoned.
func (x *hedge) leave() {
	if x.timer != nil {
		x.timer.Stop()
	}
	x.cancel()
	x.this.Left()
}

// own makes the options of the attempt: those of the call, except that what gRPC writes stays with the attempt.
func (x *hedge) own(options []grpc.CallOption) []grpc.CallOption {
	owned := make([]grpc.CallOption, 0, len(options)+1)
	for _, o := range options {
		switch o.(type) {
		case grpc.HeaderCallOption:
			owned = append(owned, grpc.Header(&x.header))
		case grpc.TrailerCallOption:
			owned = append(owned, grpc.Trailer(&x.trailer))
		case grpc.PeerCallOption:
			owned = append(owned, grpc.Peer(&x.peer))
		default:
			owned = append(owned, o)
		}
	}
	return slices.Clip(owned)
}

// deliver writes what gRPC gave the attempt to where the caller wants it.
func (c *call) deliver(x *hedge) {
	for _, o := range c.options {
		switch o := o.(type) {
		case grpc.HeaderCallOption:
			*o.HeaderAddr = x.header
		case grpc.TrailerCallOption:
			*o.TrailerAddr = x.trailer
		case grpc.PeerCallOption:
			*o.PeerAddr = x.peer
		}
	}
}

// replaceable reports whether attempts can each have a reply of their own.
func replaceable(reply any) bool {
	v := reflect.ValueOf(reply)
	return v.Kind() == reflect.Pointer && !v.IsNil()
}

// another returns an empty reply of the same type.
func another(reply any) any {
	if m, ok := reply.(proto.Message); ok {
		return m.ProtoReflect().New().Interface()
	}
	return reflect.New(reflect.TypeOf(reply).Elem()).Interface()
}

// take puts what is in one reply into another of the same type.
func take(to, from any) {
	if m, ok := to.(proto.Message); ok {
		proto.Reset(m)
		proto.Merge(m, from.(proto.Message)) //nolint:forcetypeassert // made by another
		return
	}
	reflect.ValueOf(to).Elem().Set(reflect.ValueOf(from).Elem())
}

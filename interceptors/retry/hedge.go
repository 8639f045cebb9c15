package retry

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-rpc/parley/policy"
)

// WithEndpoints sets a function that returns the present number of endpoints of the called service. A call is not
// hedged while there is only one, where a second attempt would only wait in the same queue, and it does not wait for a
// connection while there is none. Count is called once for each call that could be hedged or could wait; it must be
// fast and safe for concurrent use. Without this option calls are hedged, and it is left to the picker to avoid the
// endpoints that were tried (see package attempt).
func WithEndpoints(count func() int) Option {
	return option{"retry.WithEndpoints(...)", func(c *config) { c.settings.endpoints = count }}
}

// compileHedge decides how often the calls of a method may be raced. A method without side effects is hedged as soon as
// its policy says anything about hedging, an idempotent one only if the policy gives the number, and any other never.
func compileHedge(m *method, p policy.Method) error {
	hedge := p.Hedge
	if p.ClientStreams || p.ServerStreams {
		return nil // what is said of a service reaches them too
	}
	hedges := stated(hedge.MaxHedges, 0)
	if p.Idempotency.Value == policy.NoSideEffects && hedge.Delay.Stated() {
		hedges = stated(hedge.MaxHedges, defaultMaxHedges)
	}
	if hedges > 0 && p.Idempotency.Value == policy.IdempotencyUnknown {
		return &policy.Mistake{
			Source: hedge.MaxHedges.Source, Subject: p.Name, Field: "hedge.max_hedges",
			Problem: "nothing says that the method may be repeated, so it is never hedged; say 0, or state that it may be " +
				"(idempotency_level in the .proto, or idempotency in code or a file)",
		}
	}
	m.hedges, m.hedgeDelay = hedges, hedge.Delay
	return nil
}

// hedged makes the next attempt, or a race of several. It returns nil if one succeeded.
func (c *call) hedged(ctx context.Context, now time.Time) *failure {
	delay, ok := c.hedgeAfter(ctx, now)
	if !ok {
		return c.try(ctx, now)
	}
	racing := *c // so that only a call that is hedged needs the heap
	f := racing.race(ctx, now, delay)
	*c = racing
	return f
}

// hedgeAfter is how long an attempt that begins now may be out alone, and whether another one may join it at all.
func (c *call) hedgeAfter(ctx context.Context, now time.Time) (time.Duration, bool) {
	if c.counted()+2 > c.policy.attempts || !replaceable(c.reply) || c.refusesMore(ctx) != "" {
		return 0, false
	}
	if endpoints := c.retrier.settings.endpoints; endpoints != nil && endpoints() < 2 {
		return 0, false
	}
	delay := c.policy.hedgeDelay.Value
	if !c.policy.hedgeDelay.Stated() {
		p95, ok := c.policy.stats.p95.value()
		if !ok {
			return 0, false
		}
		delay = max(p95, minHedgeDelay)
	}
	return delay, c.hasTime(now.Add(delay))
}

// hasTime reports whether an attempt of the usual length that begins then would be in time.
func (c *call) hasTime(then time.Time) bool {
	return c.deadline.Sub(then) >= c.policy.typical()
}

// keepRequest makes the request the call's own, because abandoned attempts may read it when the caller has it back. It
// reports whether that could be done.
func (c *call) keepRequest() bool {
	switch req := c.req.(type) {
	case nil:
		return true
	case proto.Message:
		if !c.kept {
			c.req, c.kept = proto.Clone(req), true
		}
		return true
	default:
		return false
	}
}

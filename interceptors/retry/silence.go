package retry

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/attempt"
)

// errSilent is the status of an attempt that was ended because its endpoint is silent. What follows it costs no budget:
// the silent endpoint carries no load, and the others see the call for the first time.
var errSilent = status.Error(codes.Unavailable, "the endpoint is silent; another one is not")

// room returns how the attempt that begins now makes room for another one: whether it is ended when its endpoint turns
// out to be silent, and after what time it is ended otherwise, 0 for none.
func (c *call) room(ctx context.Context, now time.Time) (movable bool, limit time.Duration) {
	if c.policy.attempts < 2 || c.refusesMore(ctx) != "" {
		return false, 0
	}
	return c.classify == nil && (c.policy.repeatable || c.policy.keyed), c.attemptLimit(now)
}

// moveBy is the last time at which an attempt may be ended so that another one still fits before the deadline.
func (c *call) moveBy() time.Time {
	return c.deadline.Add(-c.policy.typical() - c.policy.initialBackoff/2)
}

// markHurry marks an attempt that begins now and has less time than the attempts of its method usually take: the
// deadline of the call, or the limit of the attempt where that is not 0.
func (c *call) markHurry(this *attempt.Attempt, now time.Time, limit time.Duration) {
	usual := c.policy.typical()
	if c.deadline.Sub(now) < usual || limit > 0 && limit < usual {
		this.SetHurried()
	}
}

// silenced marks a failure as that of an attempt that was ended because its endpoint is silent, if it is one.
func (f *failure) silenced(this *attempt.Attempt) {
	if this.Left() && interrupted(f.status.Code()) {
		f.silent, f.err, f.status = true, errSilent, status.Convert(errSilent)
	}
}

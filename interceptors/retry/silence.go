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

// movable reports whether another attempt may follow the one that begins now if its endpoint turns out to be silent.
func (c *call) movable(ctx context.Context) bool {
	return (c.policy.repeatable || c.policy.keyed) && c.policy.attempts > 1 && c.classify == nil &&
		c.refuses(ctx, &failure{silent: true}) == ""
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

package retry

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/attempt"
)

// WithAdaptiveTimeout ends each attempt but the last after twice the time in which 99 of 100 attempts of its method
// succeed, at least 5ms, so that another attempt has time. It needs 100 attempts to know that time. A per-attempt
// timeout of the policy still holds if it is shorter. Like that one it ends an attempt only if another one may follow
// and the budget pays for it. By default only the policy's timeout holds.
func WithAdaptiveTimeout() Option {
	return option{"retry.WithAdaptiveTimeout()", func(c *config) { c.settings.adaptive = true }}
}

// room returns how the attempt that begins now makes room for another one: whether it is ended when its endpoint turns
// out to be silent, and after what time it is ended otherwise, 0 for none.
func (c *call) room(ctx context.Context, now time.Time) (movable bool, limit time.Duration) {
	if c.policy.attempts < 2 || c.refusesMore(ctx) != "" {
		return false, 0
	}
	return c.classify == nil && (c.policy.repeatable || c.policy.keyed), c.attemptLimit(now)
}

// attemptLimit is how long the attempt that begins now may take before it makes room for another one, which may follow,
// or 0 if it has all the time that is left. Whether it is ended then is decided then, see [standing.affords].
func (c *call) attemptLimit(now time.Time) time.Duration {
	limit := c.policy.perAttempt
	if c.policy.adaptive {
		if p99, ok := c.policy.stats.p99.value(); ok {
			adapted := max(2*p99, minAttempt)
			if limit == 0 || adapted < limit {
				limit = adapted
			}
		}
	}
	if limit == 0 || !c.hasSlack(now.Add(limit)) {
		return 0
	}
	return limit
}

// limit is the per-attempt timeout of the attempt that is out. It is no deadline of a context, because it may be
// lifted: it does not hold for an attempt that nothing can follow, and that can change while the attempt is out. The
// server is told the deadline of the call alone. The retrier keeps a limit that was not reached for a later attempt,
// which saves three allocations, see BenchmarkSuccess.
type limit struct {
	known  standing        // as the attempt began, because the call belongs to another goroutine
	caller context.Context //nolint:containedctx // of the call, which ends no later than the limit
	this   *attempt.Attempt
	cancel context.CancelFunc
	timer  *time.Timer

	mu    sync.Mutex
	ended bool
	cut   time.Time // when the timeout ended the attempt, zero if it did not
}

// limited ends the attempt this, which begins now, with cancel after d if another attempt may follow then and is paid
// for. The limit must be finished.
func (c *call) limited(
	caller context.Context,
	this *attempt.Attempt,
	d time.Duration,
	cancel context.CancelFunc,
) *limit {
	l, kept := c.retrier.limits.Get().(*limit)
	if !kept {
		l = new(limit)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known, l.caller, l.this, l.cancel, l.ended = c.standing, caller, this, cancel, false
	if kept {
		l.timer.Reset(d)
	} else {
		l.timer = time.AfterFunc(d, l.expire)
	}
	return l
}

func (l *limit) expire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if !l.ended && l.known.affords(l.caller, now) {
		l.cut = now
		l.this.Expire(l.cancel)
	}
}

// finish says that the attempt has ended, and returns when the timeout did that, if it did. The limit must not be used
// afterwards.
func (l *limit) finish() time.Time {
	if l == nil {
		return time.Time{}
	}
	unreached := l.timer.Stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	if unreached { // so expire will not run
		retrier := l.known.retrier
		l.known, l.caller, l.this, l.cancel = standing{}, nil, nil, nil
		retrier.limits.Put(l)
	}
	return l.cut
}

// errSilent is the status of an attempt that was ended because its endpoint is silent. The attempt that follows it
// costs no budget: the silent endpoint carries no load, and the next endpoint sees the call for the first time.
var errSilent = status.Error(codes.Unavailable, "the endpoint is silent, and others answer")

// lastMove is the last time at which an attempt on a silent endpoint can be ended so that another one, of the usual
// length, still fits before the deadline.
func (c *call) lastMove() time.Time {
	return c.deadline.Add(-c.policy.typical() - c.policy.initialBackoff/2)
}

// markHurried marks an attempt that begins now if the deadline of the call, or the limit of the attempt where that is
// not 0, leaves it less time than attempts of its method usually take.
func (c *call) markHurried(this *attempt.Attempt, now time.Time, limit time.Duration) {
	usual := c.policy.typical()
	if c.deadline.Sub(now) < usual || limit > 0 && limit < usual {
		this.SetHurried()
	}
}

// markSilent makes errSilent the error of a failure if the attempt was ended because its endpoint is silent.
func (f *failure) markSilent(this *attempt.Attempt) {
	if this.Left() && interrupted(f.status.Code()) {
		f.silent, f.err, f.status = true, errSilent, status.Convert(errSilent)
	}
}

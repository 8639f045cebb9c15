package retry

import (
	"context"
	"log/slog"
	"time"
)

// standing is what decides whether another attempt of a call may follow, whatever the last one ends with. All that
// makes room for another attempt asks it while an attempt is out: timeouts, hedges, and the end of attempts on silent
// endpoints. They ask a copy where the call belongs to another goroutine.
type standing struct {
	wire

	retrier  *Retrier
	policy   *method
	deadline time.Time

	attempts  int
	free      int  // attempts that count neither against the policy nor against the budget
	forbidden bool // a server has said so, while others were out
	continued bool // the application has said how its stream goes on
}

// refusesMore answers whether another attempt may follow one that ends without an answer, apart from the time and the
// budget.
func (s *standing) refusesMore(ctx context.Context) StopReason {
	switch {
	case s.exhausted():
		return StopAttemptsExhausted
	case !s.repeatable():
		return StopNotIdempotent
	default:
		return s.heldBack(ctx, false)
	}
}

// exhausted reports whether the policy has no further attempt.
func (s *standing) exhausted() bool { return s.counted() >= s.policy.attempts || s.leftToGRPC() }

// counted is how many attempts count against the policy.
func (s *standing) counted() int { return s.attempts - s.free }

// repeatable reports whether the method may run twice.
func (s *standing) repeatable() bool { return s.policy.repeatable || s.policy.keyed || s.continued }

// heldBack answers whether something else than the call holds its attempts back. Free is an attempt that brings no
// load.
func (s *standing) heldBack(ctx context.Context, free bool) StopReason {
	switch {
	case s.forbidden:
		return StopPushback
	case free:
		return ""
	case !s.retrier.Retries():
		return StopSwitchedOff
	case !s.policy.unguarded && repeated(ctx):
		return StopUpstreamRetrying
	case s.policy.stats.breakerOpen():
		return StopCircuitOpen
	default:
		return ""
	}
}

// leftToGRPC reports whether gRPC itself retries the method, and logs that once.
func (s *standing) leftToGRPC() bool {
	if s.conn == nil || s.conn.GetMethodConfig(s.method).RetryPolicy == nil {
		return false
	}
	s.retrier.native.Do(func() {
		if s.nativeOff {
			s.retrier.logger.Warn(
				"the service config has a retry policy, which is ignored: Parley retries this channel; take the policy "+
					"out",
				slog.String("target", s.conn.Target()),
				slog.String("method", s.method),
			)
			return
		}
		s.retrier.logger.Warn(
			"the service config has a retry policy, so Parley's retry is off for such methods; take the policy out, and "+
				"dial with DialOptions of the Retrier",
			slog.String("target", s.conn.Target()),
			slog.String("method", s.method),
		)
	})
	return !s.nativeOff
}

// allowed reports whether another attempt may follow one that is still out, if that ended at now without an answer. It
// has no effect.
func (s *standing) allowed(ctx context.Context, now time.Time) bool {
	return ctx.Err() == nil && s.retrier.lifetime.Err() == nil && s.hasSlack(now) && s.refusesMore(ctx) == ""
}

// affords is allowed, and takes the token for that attempt if there is one.
func (s *standing) affords(ctx context.Context, now time.Time) bool {
	return s.allowed(ctx, now) && s.retrier.budget.withdraw()
}

// slack is the time beyond that of an attempt of the usual length.
func (s *standing) slack(now time.Time) time.Duration {
	return s.deadline.Sub(now) - s.policy.typical()
}

// hasSlack reports whether there is time for a wait and an attempt.
func (s *standing) hasSlack(now time.Time) bool {
	slack := s.slack(now)
	return slack > 0 && slack >= s.policy.initialBackoff/2
}

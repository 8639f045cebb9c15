package auth

import "time"

// term is how long a link may live. It goes by the wall clock, on which the peer's credential ends, and by the monotonic one,
// which nobody can set back; whichever is ahead counts.
type term struct {
	start time.Time // with the reading of the monotonic clock
	age   time.Duration
	end   time.Time     // without
	lead  time.Duration // how much of the end is no time to begin anything
}

func newTerm(now time.Time, age, lead time.Duration) term {
	return term{start: now, age: age, end: now.Round(0).Add(age), lead: lead}
}

// left is the time until the end. It is not positive once that has come.
func (t term) left(now time.Time) time.Duration {
	return min(t.end.Sub(now.Round(0)), t.age-now.Sub(t.start))
}

// last tells whether only the lead is left.
func (t term) last(now time.Time) bool { return t.left(now) <= t.lead }

// nextLook is when the term must be looked at again: at its last part, at its end, or after a while, because the wall clock
// may jump.
func (t term) nextLook(now time.Time) time.Duration {
	left := t.left(now)
	if left > t.lead {
		left -= t.lead
	}
	return min(left, wallCheckInterval)
}

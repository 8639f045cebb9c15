package conn

import "time"

// Lifetime is how long a session may live. It goes by the wall clock, on which the credential ends, and by the
// monotonic clock, which cannot be set back; the earlier of the two counts.
type Lifetime struct {
	start time.Time // with the reading of the monotonic clock
	age   time.Duration
	end   time.Time     // without the reading of the monotonic clock
	leave time.Duration // how long before its end the session begins to leave
	lead  time.Duration // the last part, in which nothing new begins
}

// NewLifetime returns a lifetime of age from now on. Leave is how long before the end the session begins to leave, lead
// how long before it streams end and nothing new begins.
func NewLifetime(now time.Time, age, leave, lead time.Duration) Lifetime {
	return Lifetime{start: now, age: age, end: now.Round(0).Add(age), leave: leave, lead: lead}
}

// Start is when the lifetime began.
func (l Lifetime) Start() time.Time { return l.start }

// End is when the lifetime ends, as wall time.
func (l Lifetime) End() time.Time { return l.end }

// Left is the time until the end, and not positive once that has come.
func (l Lifetime) Left(now time.Time) time.Duration {
	return min(l.end.Sub(now.Round(0)), l.age-now.Sub(l.start))
}

// leaving reports whether the session should leave.
func (l Lifetime) leaving(now time.Time) bool { return l.Left(now) <= l.leave }

// last reports whether only the lead is left.
func (l Lifetime) last(now time.Time) bool { return l.Left(now) <= l.lead }

// nextLook is when the lifetime must be looked at again: when the session should leave, at its last part, at its end,
// or after a while, because the wall clock may jump.
func (l Lifetime) nextLook(now time.Time) time.Duration {
	left := l.Left(now)
	switch {
	case left > l.leave && l.leave > l.lead:
		left -= l.leave
	case left > l.lead:
		left -= l.lead
	}
	return min(left, WallCheckInterval)
}

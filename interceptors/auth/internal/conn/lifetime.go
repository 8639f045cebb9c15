package conn

import "time"

// Lifetime is how long a session may live. It goes by the wall clock, on which the credential ends, and by the
// monotonic clock, which cannot be set back; the earlier of the two counts.
type Lifetime struct {
	start time.Time // with the reading of the monotonic clock
	age   time.Duration
	end   time.Time     // without the reading of the monotonic clock
	drain time.Duration // how long before the end the other end is asked to connect anew
	lead  time.Duration // the last part, in which nothing new begins
}

// NewLifetime returns a lifetime of age from now on. Drain is how long before the end the planned end is announced, so
// that the other end connects anew; lead is how long before the end streams end and nothing new begins.
func NewLifetime(now time.Time, age, drain, lead time.Duration) Lifetime {
	return Lifetime{start: now, age: age, end: now.Round(0).Add(age), drain: drain, lead: lead}
}

// Start is when the lifetime began.
func (l Lifetime) Start() time.Time { return l.start }

// End is when the lifetime ends, as wall time.
func (l Lifetime) End() time.Time { return l.end }

// Remaining is the time until the end, and not positive once that has come.
func (l Lifetime) Remaining(now time.Time) time.Duration {
	return min(l.end.Sub(now.Round(0)), l.age-now.Sub(l.start))
}

// draining reports whether the planned end is to be announced by now.
func (l Lifetime) draining(now time.Time) bool { return l.Remaining(now) <= l.drain }

// inLead reports whether nothing new may begin any more.
func (l Lifetime) inLead(now time.Time) bool { return l.Remaining(now) <= l.lead }

// nextCheck is how long the lifetime needs no check: until the drain, the lead or the end begins, or for a while
// because the wall clock may jump.
func (l Lifetime) nextCheck(now time.Time) time.Duration {
	wait := l.Remaining(now)
	switch {
	case wait > l.drain && l.drain > l.lead:
		wait -= l.drain
	case wait > l.lead:
		wait -= l.lead
	}
	return min(wait, WallCheckInterval)
}

package conn

import (
	"testing"
	"time"
)

// Both clocks end a connection: the wall clock when it jumps ahead, the monotonic one when the other is set back.
func TestLifetimeGoesByBothClocks60(t *testing.T) {
	const age = 30 * time.Minute
	for name, test := range map[string]struct {
		wall, monotonic time.Duration
		want            time.Duration
	}{
		"at the start":                 {0, 0, age},
		"in the middle":                {10 * time.Minute, 10 * time.Minute, 20 * time.Minute},
		"the host slept for an hour":   {time.Hour, time.Minute, -30 * time.Minute},
		"the clock was set back":       {-time.Hour, 29 * time.Minute, time.Minute},
		"the clock was set back twice": {-2 * time.Hour, 31 * time.Minute, -time.Minute},
	} {
		if got := timeLeft(age, test.wall, test.monotonic); got != test.want {
			t.Errorf("%s: %v left, want %v", name, got, test.want)
		}
	}
}

// timeLeft is what is left of a lifetime after the two clocks went on by so much.
func timeLeft(age, wall, monotonic time.Duration) time.Duration {
	start := time.Now()
	now := start.Add(monotonic) // which moves both
	l := NewLifetime(start, age, 0, 0)
	l.end = l.end.Add(monotonic - wall)
	return l.Remaining(now)
}

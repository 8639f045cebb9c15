package verify

import (
	"sync/atomic"
	"time"
)

// stepClock notices when the wall clock is set: it then goes another way than the monotonic one.
type stepClock struct {
	begin  time.Time // with the reading of the monotonic clock
	offset atomic.Int64
}

func newStepClock(now time.Time) stepClock { return stepClock{begin: now} }

// step is by how much the wall clock was set forward since the reset.
func (c *stepClock) step(now time.Time) time.Duration {
	return c.since(now) - time.Duration(c.offset.Load())
}

func (c *stepClock) since(now time.Time) time.Duration {
	return now.Round(0).Sub(c.begin.Round(0)) - now.Sub(c.begin)
}

// reset makes the wall clock of now the right one.
func (c *stepClock) reset(now time.Time) { c.offset.Store(int64(c.since(now))) }

package retry

import (
	"sync/atomic"
	"time"
)

// latency follows the median time of a method's successful attempts.
//
// It is a streaming quantile in one word ("frugal streaming"): each sample moves the estimate up or down by a fixed
// fraction, so it settles where as many samples are above as below. A mean would be pulled up by a few slow attempts, and
// would stop retries that have the time. A histogram would need memory for each method, and a window.
type latency struct{ estimate atomic.Int64 }

// latencyStep is the fraction of the estimate by which a sample moves it, as a divisor. Small enough to be calm, large
// enough to follow a service that has become twice as slow within about a dozen attempts.
const latencyStep = 16

// observe takes in the time of one successful attempt. A sample that loses a race is dropped.
func (l *latency) observe(d time.Duration) {
	sample, old := max(int64(d), 1), l.estimate.Load()
	step := old/latencyStep + 1
	var next int64
	switch {
	case old == 0:
		next = sample
	case sample > old:
		next = min(old+step, sample)
	case sample < old:
		next = max(old-step, sample)
	default:
		return
	}
	l.estimate.CompareAndSwap(old, next)
}

// median is 0 before the first sample.
func (l *latency) median() time.Duration { return time.Duration(l.estimate.Load()) }

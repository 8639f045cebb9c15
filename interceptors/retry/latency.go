package retry

import (
	"sync/atomic"
	"time"
)

// latency follows the median time of a method's successful attempts.
//
// It is a streaming quantile in one word ("frugal streaming"): each sample moves the estimate up or down by a fixed
// fraction, so it settles where as many samples are above as below. A mean would be pulled up by a few slow attempts,
// and would stop retries that have the time. A histogram would need memory for each method, and a window.
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

// quantile follows a high quantile of the time that attempts of a method take, in two words and without locks. It is to
// its quantile what latency is to the median: a sample above the estimate raises it in proportion to the share that
// shall lie below, and a sample below lowers it in proportion to the share above, so that it settles where the shares
// are right.
type quantile struct {
	estimate atomic.Int64
	samples  atomic.Uint32 // up to trustedSamples
}

// The divisor of a step while there are too few samples to trust the estimate, so that it is near by the time there are
// enough. Later steps are those of latency.
const firstSteps = 4

// observe takes in the time of one attempt, where share of all attempts shall be faster than the estimate. A sample
// that loses a race is dropped.
func (q *quantile) observe(d time.Duration, share float64) {
	divisor := float64(latencyStep)
	if n := q.samples.Load(); n < trustedSamples {
		q.samples.CompareAndSwap(n, n+1)
		divisor = firstSteps
	}
	sample, old := max(int64(d), 1), q.estimate.Load()
	step := float64(old) / divisor
	next := sample
	switch {
	case old == 0:
	case sample > old:
		next = min(old+int64(step*share)+1, sample)
	case sample < old:
		next = max(old-int64(step*(1-share)), sample)
	}
	q.estimate.CompareAndSwap(old, next)
}

// value is the estimate, once there are enough samples for one.
func (q *quantile) value() (time.Duration, bool) {
	return time.Duration(q.estimate.Load()), q.samples.Load() >= trustedSamples
}

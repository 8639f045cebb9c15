package grpcbalancer

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/rpcerr"
)

// Outliers configures when an instance rests because it fails far more than the others, like the outlier detection of
// gRFC A50. A resting instance gets no calls. An instance rests if, within an interval, enough calls ended on it,
// enough of them failed, and the failure rate of the other instances together is less than half of its rate. If calls
// fail everywhere, no instance rests. Failures are UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE and
// DATA_LOSS. Planned ends, pushbacks, and deadlines that were shorter than the median of the method are not failures.
// The median comes from package retry.
//
// If all instances rest, calls go to them nevertheless. An instance that fails again soon after its rest rests twice as
// long, at most 5 minutes. If another instance must rest and MaxPercent is reached, the instance that has rested
// longest returns early. It rests again if its first call fails.
type Outliers struct {
	// Off disables resting.
	Off bool
	// Interval is the interval over which calls are counted. At most 5m. Default: 10s.
	Interval time.Duration
	// MinCalls is the number of calls that must end within the interval, both on the instance and on the others together.
	// Default: 20.
	MinCalls int
	// FailurePercent is the share of failed calls, in percent, from which an instance rests. Default: 50.
	FailurePercent int
	// Rest is how long the instance rests the first time. At most 5m. Default: 30s.
	Rest time.Duration
	// MaxPercent is the maximum share of resting instances, in percent. One instance may always rest. Default: 30.
	MaxPercent int
}

func (o Outliers) orDefault() Outliers {
	fill(&o.Interval, defaultOutlierInterval)
	fill(&o.MinCalls, defaultOutlierCalls)
	fill(&o.FailurePercent, defaultOutlierPercent)
	fill(&o.Rest, defaultOutlierRest)
	fill(&o.MaxPercent, defaultOutlierMost)
	return o
}

func fill[T comparable](value *T, with T) {
	var unset T
	if *value == unset {
		*value = with
	}
}

func (o Outliers) check() error {
	var errs []error
	o = o.orDefault()
	if o.Interval < 0 || o.Interval > maxEjection {
		errs = append(errs, fmt.Errorf("outliers: an interval of %v is not between 0s and %v", o.Interval, maxEjection))
	}
	if o.Rest < 0 || o.Rest > maxEjection {
		errs = append(errs, fmt.Errorf("outliers: a rest of %v is not between 0s and %v", o.Rest, maxEjection))
	}
	if o.MinCalls < 1 {
		errs = append(errs, fmt.Errorf("outliers: a minimum of %d calls; want at least 1", o.MinCalls))
	}
	if o.FailurePercent < 1 || o.FailurePercent > 100 || o.MaxPercent < 1 || o.MaxPercent > 100 {
		errs = append(
			errs,
			fmt.Errorf(
				"outliers: %d%% failures and %d%% of the instances; want percents from 1 to 100",
				o.FailurePercent,
				o.MaxPercent,
			),
		)
	}
	return errors.Join(errs...)
}

// callCounts counts the calls that ended on an endpoint within the current interval. The counts are in one word, so
// that a call costs one compare-and-swap: the number of the interval (15 bits), calls (24 bits), failures (24 bits).
type callCounts struct{ word atomic.Int64 }

func (t *callCounts) add(interval int64, failed bool) (calls, failures int64) {
	for {
		old := t.word.Load()
		sum := old
		if old>>48 != interval {
			sum = interval << 48
		}
		sum += 1 << 24
		if failed {
			sum++
		}
		if t.word.CompareAndSwap(old, sum) {
			return sum >> 24 & 0xffffff, sum & 0xffffff
		}
	}
}

func (t *callCounts) of(interval int64) (calls, failures int64) {
	word := t.word.Load()
	if word>>48 != interval {
		return 0, 0
	}
	return word >> 24 & 0xffffff, word & 0xffffff
}

// ejection is the state of an endpoint as an outlier. The lock of the channel's members guards it.
type ejection struct {
	began time.Duration // since channel.made, as until
	until time.Duration
	rest  time.Duration
	end   *time.Timer // logs the end of the rest
}

// cancel stops the log message about the end of the rest, for an endpoint that is gone or has returned early.
func (e ejection) cancel() {
	if e.end != nil {
		e.end.Stop()
	}
}

// faulty reports whether an error counts as a failure of the server. A call that its caller canceled does not.
func faulty(err error) bool {
	switch status.Code(err) {
	case codes.Unknown, codes.DeadlineExceeded, codes.Unimplemented, codes.Internal, codes.Unavailable, codes.DataLoss:
		return true
	default:
		return false
	}
}

// weigh counts a call that ended on e and makes e rest if it has become an outlier. If the deadline was shorter than
// such calls usually take (hurried), DEADLINE_EXCEEDED is not a failure.
func (e *endpoint) weigh(info balancer.DoneInfo, conf *Outliers, hurried bool) {
	code := status.Code(info.Err)
	if code == codes.Canceled || hurried && code == codes.DeadlineExceeded {
		return
	}
	failed := faulty(info.Err) && !rpcerr.PushbackOf(info.Trailer).Said && rpcerr.ReasonOf(info.Err) != rpcerr.PlannedEnd
	now := time.Since(e.channel.made)
	if e.trial.Load() && e.trial.Swap(false) && failed {
		e.channel.endTrial(e, conf, now)
		return
	}
	interval := int64(now/conf.Interval) & 0x7fff
	calls, failures := e.callCounts.add(interval, failed)
	if failed && calls >= int64(conf.MinCalls) && failures*100 >= calls*int64(conf.FailurePercent) {
		if rest := e.channel.judge(e, conf, now, interval); rest > 0 {
			e.channel.states.Load().ejected(e.address(), rest, calls, failures)
		}
	}
}

// judge compares a failing endpoint with the others. It returns how long the endpoint has to rest, or 0. If no more
// endpoints may rest, the one that has rested longest returns early, on trial. It may have recovered, and its rest
// would otherwise keep a failing endpoint in use.
func (c *channel) judge(e *endpoint, conf *Outliers, now time.Duration, interval int64) (rest time.Duration) {
	c.membersMu.Lock()
	defer c.membersMu.Unlock()
	var calls, failures int64
	var longest *endpoint
	resting := 1
	for other := range c.members {
		if other == e {
			continue
		}
		if other.ejection.until > now {
			resting++
			if longest == nil || other.ejection.began < longest.ejection.began {
				longest = other
			}
		}
		n, f := other.callCounts.of(interval)
		calls, failures = calls+n, failures+f
	}
	ownCalls, ownFailures := e.callCounts.of(interval)
	_, member := c.members[e]
	switch {
	case !member, e.ejection.until > now, // a call from an earlier time
		calls < int64(conf.MinCalls),
		ownFailures*calls <= 2*failures*ownCalls:
		return 0
	}
	if resting > max(1, int(c.usable.Load())*conf.MaxPercent/100) {
		if longest == nil || now-longest.ejection.began < leastRest {
			return 0
		}
		c.recall(longest, now)
		longest.trial.Store(true)
	}
	rest = conf.Rest
	if last := e.ejection; last.rest > 0 && now-last.until < last.rest {
		rest = min(2*last.rest, maxEjection)
	}
	c.eject(e, now, rest)
	return rest
}

// eject makes an endpoint rest. The caller holds the lock of the members.
func (c *channel) eject(e *endpoint, now, rest time.Duration) {
	e.ejection.cancel()
	end := time.AfterFunc(rest, func() { c.states.Load().returned(e.address()) })
	e.ejection = ejection{began: now, until: now + rest, rest: rest, end: end}
	e.callCounts.word.Store(0)
	extend(&e.resting, int64(now+rest))
	extend(&c.resting, int64(now+rest))
}

// recall ends the rest of an endpoint early. The caller holds the lock of the members.
func (c *channel) recall(e *endpoint, now time.Duration) {
	e.ejection.cancel()
	e.ejection.until = now
	e.resting.Store(int64(now))
	c.states.Load().recalled(e.address())
}

// endTrial makes an endpoint rest again after its first call on trial failed. The endpoint that rests since the start
// of the trial returns in exchange, because no more endpoints may rest.
func (c *channel) endTrial(e *endpoint, conf *Outliers, now time.Duration) {
	c.membersMu.Lock()
	defer c.membersMu.Unlock()
	if _, member := c.members[e]; !member || e.ejection.until > now {
		return
	}
	var latest *endpoint
	for other := range c.members {
		if other.ejection.until > now && (latest == nil || other.ejection.began > latest.ejection.began) {
			latest = other
		}
	}
	if latest != nil {
		c.recall(latest, now)
	}
	c.eject(e, now, max(e.ejection.rest, conf.Rest))
}

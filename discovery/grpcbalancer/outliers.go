package grpcbalancer

import (
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// callCounts counts the calls that ended on an endpoint within the current interval, in one word, so that a call costs
// one exchange: the number of the interval (15 bits), calls (24 bits), failures (24 bits).
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

// ejection is what is known of an endpoint as an outlier, under the lock of the channel's members.
type ejection struct {
	until time.Duration // since channel.made
	rest  time.Duration
	end   *time.Timer // tells of the end
}

// leave makes nobody be told of the end, for an endpoint that is gone by then.
func (e ejection) leave() {
	if e.end != nil {
		e.end.Stop()
	}
}

// faulty reports whether an error speaks against the server. A call that its caller gave up speaks against nobody.
func faulty(err error) bool {
	switch status.Code(err) {
	case codes.Unknown, codes.DeadlineExceeded, codes.Unimplemented, codes.Internal, codes.Unavailable, codes.DataLoss:
		return true
	default:
		return false
	}
}

// weigh counts a call that ended on e and makes e rest if it has become an outlier.
func (e *endpoint) weigh(err error, conf *Outliers) {
	if status.Code(err) == codes.Canceled {
		return
	}
	now := time.Since(e.channel.made)
	interval := int64(now/conf.Interval) & 0x7fff
	failed := faulty(err)
	calls, failures := e.callCounts.add(interval, failed)
	if failed && calls >= int64(conf.MinCalls) && failures*100 >= calls*int64(conf.FailurePercent) {
		if rest := e.channel.judge(e, conf, now, interval); rest > 0 {
			e.channel.states.Load().ejected(e.address(), rest, calls, failures)
		}
	}
}

// judge compares an endpoint that fails with the others. It returns for how long the endpoint has to rest from now on,
// 0 if it has not.
func (o *channel) judge(e *endpoint, conf *Outliers, now time.Duration, interval int64) (rest time.Duration) {
	o.membersMu.Lock()
	defer o.membersMu.Unlock()
	var calls, failures int64
	resting := 1
	for other := range o.members {
		if other == e {
			continue
		}
		if other.ejection.until > now {
			resting++
		}
		c, f := other.callCounts.of(interval)
		calls, failures = calls+c, failures+f
	}
	ownCalls, ownFailures := e.callCounts.of(interval)
	_, member := o.members[e]
	switch {
	case !member, e.ejection.until > now, // a call from before
		calls < int64(conf.MinCalls),
		ownFailures*calls <= 2*failures*ownCalls,
		resting > max(1, int(o.usable.Load())*conf.MaxPercent/100):
		return 0
	}
	rest = conf.Rest
	if last := e.ejection; last.rest > 0 && now-last.until < last.rest {
		rest = min(2*last.rest, maxEjection)
	}
	e.ejection = ejection{now + rest, rest, time.AfterFunc(rest, func() { o.states.Load().returned(e.address()) })}
	e.callCounts.word.Store(0)
	extend(&e.resting, int64(now+rest))
	extend(&o.resting, int64(now+rest))
	return rest
}

package retry

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"
)

// Budget limits the load of retries and hedges on the called service. It is a token bucket that only successes fill.
// Failures never add to it, so the more a service fails, the fewer retries it gets.
//
// A retry costs one token, and gives it back if it succeeds, because it was needed. A hedge costs one for good, because
// of it and the attempt beside it one was in vain. Over any time, so, the attempts in vain are at most Ratio of the
// successes, and Max and the trickle once. Retries that succeed come on top, one for each call that they save: with the
// default budget and three attempts, attempts that fail at random make up to 1.32 attempts for each call (where 28 % of
// them fail), and less than 1.1 where more than 52 % fail.
type Budget struct {
	// Ratio is the number of tokens that one successful call adds. With 0.1, the number of failed retries is at most a
	// tenth of the number of successful calls. It is 0 to 1.
	Ratio float64
	// Max is the capacity of the bucket, in retries. The bucket is full at first. It is 1 to 1,000,000.
	Max float64
	// MinPerSecond is the number of retries that are added every second without any success, so that a client with few
	// calls can find out that a service is back. During an outage every client adds this much load. It is 0 to 1, or with
	// Unsafe up to 100.
	MinPerSecond float64
	// Unsafe allows a MinPerSecond above 1. With 50 clients and 10 each second an outage does not end by itself: the
	// retries alone keep the service down.
	Unsafe bool
}

// DefaultBudget is the budget of a Retrier for which none is given: Ratio 0.1, Max 10, MinPerSecond 0.1.
func DefaultBudget() Budget {
	return Budget{Ratio: defaultBudgetRatio, Max: defaultBudgetMax, MinPerSecond: defaultBudgetMinPerSecond}
}

func (b Budget) check() error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("retry.WithBudget: "+format, args...))
	}
	if !(b.Ratio >= 0 && b.Ratio <= 1) {
		wrong("Ratio is %v; it must be 0 to 1, the share of calls that may be retries", b.Ratio)
	}
	if !(b.Max >= 1 && b.Max <= maxBudgetMax) {
		wrong("Max is %v; it must be 1 to 1000000; to switch retries off, set retry.max_attempts to 1", b.Max)
	}
	switch {
	case !(b.MinPerSecond >= 0 && b.MinPerSecond <= maxUnsafeMinPerSecond):
		wrong("MinPerSecond is %v; it must be 0 to %v, and with Unsafe to %v",
			b.MinPerSecond, maxBudgetMinPerSecond, maxUnsafeMinPerSecond)
	case b.MinPerSecond > maxBudgetMinPerSecond && !b.Unsafe:
		wrong("MinPerSecond is %v; it must be 0 to %v, because in an outage every client adds it to the load of the "+
			"service; lower it, or say Unsafe", b.MinPerSecond, maxBudgetMinPerSecond)
	}
	return errors.Join(errs...)
}

// Tokens are counted in millionths, so that they fit into one atomic word and add up exactly.
const token = 1_000_000

// bucket is a Budget in use. It is safe for concurrent use and takes no locks.
type bucket struct {
	limit    int64
	earning  int64
	interval int64 // nanoseconds in which one millionth of a token trickles in; 0 for no trickle
	made     time.Time

	spent       atomic.Int64
	refused     atomic.Int64
	suppressed  []atomic.Int64 // calls that had no further attempt, by reason
	suppressing []string       // those reasons
	calls       atomic.Pointer[callMeter]

	tokens   atomic.Int64
	trickled atomic.Int64 // nanoseconds since made, up to which the trickle is in tokens
}

// newBucket returns a full bucket. B has been checked.
func newBucket(b Budget) *bucket {
	k := &bucket{
		limit:       int64(b.Max * token),
		earning:     int64(math.Round(b.Ratio * token)),
		made:        time.Now(),
		suppressing: suppressing(),
	}
	k.suppressed = make([]atomic.Int64, len(k.suppressing))
	if interval := float64(time.Second) / (b.MinPerSecond * token); interval < math.MaxInt64 {
		k.interval = int64(math.Round(interval))
	}
	k.tokens.Store(k.limit)
	return k
}

// success pays for one success, and gives back what the attempt has cost if it was a retry.
func (k *bucket) success(retried bool) {
	n := k.earning
	if retried {
		n += token
	}
	k.add(n)
}

// refund gives back a token that was withdrawn for an attempt that was not made.
func (k *bucket) refund() { k.add(token) }

// withdraw takes one token, if there is one.
func (k *bucket) withdraw() bool {
	k.trickle()
	for {
		n := k.tokens.Load()
		if n < token {
			k.refused.Add(1)
			return false
		}
		if k.tokens.CompareAndSwap(n, n-token) {
			return true
		}
	}
}

// drain takes one token, or the remaining part of one.
func (k *bucket) drain() {
	k.trickle()
	for {
		n := k.tokens.Load()
		if k.tokens.CompareAndSwap(n, max(n-token, 0)) {
			return
		}
	}
}

// balance returns the number of tokens in the bucket.
func (k *bucket) balance() float64 {
	k.trickle()
	return float64(k.tokens.Load()) / token
}

func (k *bucket) add(n int64) {
	for {
		old := k.tokens.Load()
		if old == k.limit { // the usual case: no write that other processors would have to see
			return
		}
		if k.tokens.CompareAndSwap(old, min(old+n, k.limit)) {
			return
		}
	}
}

// trickle adds what has trickled in since the last time. The goroutine that moves the mark adds it, so nothing counts
// twice.
func (k *bucket) trickle() {
	if k.interval == 0 {
		return
	}
	for {
		mark := k.trickled.Load()
		n := (int64(time.Since(k.made)) - mark) / k.interval
		if n <= 0 {
			return
		}
		if k.trickled.CompareAndSwap(mark, mark+n*k.interval) {
			k.add(n)
			return
		}
	}
}

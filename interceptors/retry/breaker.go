package retry

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Breaker stops the retries and hedges of a method while too many of its attempts fail. First attempts always go, and
// so tell when the service is back: the circuit closes by itself as failures leave the window. There is one circuit for
// each method of a Retrier; methods that no .proto describes share one.
//
// Attempts are counted, not calls. UNAVAILABLE, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, INTERNAL, UNKNOWN and DATA_LOSS
// are failures; every other status shows a service that works. An attempt that its caller ended counts for neither.
type Breaker struct {
	// FailureRatio is the share of failed attempts from which on the circuit is open. It is above 0 and at most 1.
	FailureRatio float64
	// MinAttempts is how many attempts the window must hold, so that a few failures open nothing. It is at least 1.
	MinAttempts int
	// Window is how long an attempt counts. It is 100ms to 1h.
	Window time.Duration
	// StopsCalls also refuses the calls of a method whose circuit is open, before they are sent, except for one in every
	// tenth of the window that finds out whether the service is back. A refused call fails with UNAVAILABLE and the
	// reason circuit_open. Clients with few calls then open and close in turns, so it is off unless said.
	StopsCalls bool
}

// DefaultBreaker is open while at least half of at least 50 attempts within 10s have failed, and lets first attempts
// go.
func DefaultBreaker() Breaker {
	return Breaker{FailureRatio: defaultFailureRatio, MinAttempts: defaultBreakerAttempts, Window: defaultBreakerWindow}
}

// WithBreaker gives each method a circuit. By default there is none, and the budget alone limits retries.
func WithBreaker(b Breaker) Option {
	text := fmt.Sprintf(
		"retry.WithBreaker(ratio %v, min %d, window %v, stops calls %t)",
		b.FailureRatio,
		b.MinAttempts,
		b.Window,
		b.StopsCalls,
	)
	return option{text, func(c *config) { c.settings.breaker = &b }}
}

func (b Breaker) check() error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("retry.WithBreaker: "+format, args...))
	}
	if !(b.FailureRatio > 0 && b.FailureRatio <= 1) {
		wrong("FailureRatio is %v; it must be above 0 and at most 1, the share of attempts that fail", b.FailureRatio)
	}
	if b.MinAttempts < 1 {
		wrong("MinAttempts is %d; it must be at least 1", b.MinAttempts)
	}
	if b.Window < minBreakerWindow || b.Window > maxBreakerWindow {
		wrong("Window is %v; it must be %v to %v", b.Window, minBreakerWindow, maxBreakerWindow)
	}
	return errors.Join(errs...)
}

// The window moves in this many steps.
const windowSlots = 10

// breaker is a Breaker in use. It is safe for concurrent use and takes no locks.
type breaker struct {
	terms Breaker
	step  time.Duration
	made  time.Time
	// Each slot holds the attempts of one step: its number in the upper 32 bits, then 16 bits each for failures and for
	// all attempts. A step that is overfull halves both.
	slots  [windowSlots]atomic.Uint64
	probed atomic.Int64 // the step of the last call that was let through an open circuit
}

// newBreaker returns a closed circuit. B has been checked.
func newBreaker(b Breaker) *breaker {
	k := &breaker{terms: b, step: b.Window / windowSlots}
	k.made = time.Now().Add(-b.Window) // so that no step in use has a number that an empty slot has
	return k
}

func (k *breaker) stepAt(now time.Time) uint32 {
	return uint32(now.Sub(k.made) / k.step) //nolint:gosec // 4e9 steps of at least 10ms
}

// observe takes in one attempt.
func (k *breaker) observe(now time.Time, failed bool) {
	n := k.stepAt(now)
	slot := &k.slots[n%windowSlots]
	for {
		old := slot.Load()
		failures, all := uint64(0), uint64(0)
		switch held := uint32(old >> 32); {
		case held == n:
			failures, all = old>>16&math.MaxUint16, old&math.MaxUint16
		case int32(held-n) > 0: //nolint:gosec // two moments that may wrap: another goroutine is a whole window further
			return
		}
		if all == math.MaxUint16 {
			failures, all = failures/2, all/2
		}
		if failed {
			failures++
		}
		if slot.CompareAndSwap(old, uint64(n)<<32|failures<<16|(all+1)) {
			return
		}
	}
}

// counts are the attempts within the window.
func (k *breaker) counts(now time.Time) (failures, all int) {
	n := k.stepAt(now)
	for i := range k.slots {
		s := k.slots[i].Load()
		if n-uint32(s>>32) < windowSlots {
			failures, all = failures+int(s>>16&math.MaxUint16), all+int(s&math.MaxUint16)
		}
	}
	return failures, all
}

func (k *breaker) open(now time.Time) bool {
	failures, all := k.counts(now)
	return all >= k.terms.MinAttempts && float64(failures) >= k.terms.FailureRatio*float64(all)
}

// probe reports whether the caller is the one who may find out, in this step, whether the service is back.
func (k *breaker) probe(now time.Time) bool {
	step, last := int64(k.stepAt(now)), k.probed.Load()
	return step > last && k.probed.CompareAndSwap(last, step)
}

// admit refuses the calls of a method whose circuit is open and stops calls.
func (m *method) admit() *Error {
	if m.stats == nil || m.stats.breaker == nil || !m.stats.breaker.terms.StopsCalls {
		return nil
	}
	k, now := m.stats.breaker, time.Now()
	if !k.open(now) || k.probe(now) {
		return nil
	}
	failures, all := k.counts(now)
	last := status.Newf(
		codes.Unavailable,
		"the circuit of %s is open: %d of %d attempts within %v failed",
		m.name,
		failures,
		all,
		k.terms.Window,
	)
	return &Error{Reason: StopCircuitOpen, Last: last.Err(), status: last}
}

package shares

import (
	"sync"
	"time"
)

// sweepSize is how many owners a meter has seen before it forgets those that may do a full burst again.
const sweepSize = 1024

// Meter bounds how often each owner does something: a token bucket for each, as the time at which it will be full again
// (the generic cell rate algorithm of ATM Forum TM 4.0). Owners should be proven, so that a stranger cannot make any
// number of them. It is safe for concurrent use.
type Meter[K comparable] struct {
	gap   time.Duration // between two times in the long run
	burst time.Duration // that many gaps

	mu     sync.Mutex
	full   map[K]time.Time
	sweeps int // the size at which buckets that are full again are forgotten
}

// NewMeter returns a meter that lets each owner do something rate times a second, and burst times at once.
func NewMeter[K comparable](rate, burst int) *Meter[K] {
	gap := time.Second / time.Duration(rate)
	return &Meter[K]{gap: gap, burst: gap * time.Duration(burst), full: map[K]time.Time{}, sweeps: sweepSize}
}

// Take reports whether an owner may do it once more, or else when it may.
func (m *Meter[K]) Take(owner K, now time.Time) (ok bool, wait time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	full, known := m.full[owner]
	if full.Before(now) {
		full = now
	}
	full = full.Add(m.gap)
	if wait := full.Sub(now) - m.burst; wait > 0 {
		return false, wait
	}
	if !known && len(m.full) >= m.sweeps {
		m.sweep(now)
	}
	m.full[owner] = full
	return true, 0
}

// Owners is how many owners are remembered.
func (m *Meter[K]) Owners() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.full)
}

func (m *Meter[K]) sweep(now time.Time) {
	for owner, full := range m.full {
		if !full.After(now) {
			delete(m.full, owner)
		}
	}
	m.sweeps = max(sweepSize, 2*len(m.full))
}

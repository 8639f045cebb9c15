package issuer

import (
	"sync"
	"time"
)

// meter bounds how often each service asks: a token bucket for each, as the time at which it will be full again (the generic
// cell rate algorithm of ATM Forum TM 4.0). Services that have not proven themselves never get one.
type meter struct {
	gap   time.Duration // between two requests in the long run
	burst time.Duration // that many gaps

	mu     sync.Mutex
	full   map[string]time.Time
	sweeps int // the size at which buckets that are full again are forgotten
}

func newMeter(rate, burst int) *meter {
	gap := time.Second / time.Duration(rate)
	return &meter{gap: gap, burst: gap * time.Duration(burst), full: map[string]time.Time{}, sweeps: sweepSize}
}

// take reports whether a service may ask once more, or else when it may.
func (m *meter) take(client string, now time.Time) (ok bool, wait time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	full, known := m.full[client]
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
	m.full[client] = full
	return true, 0
}

func (m *meter) sweep(now time.Time) {
	for client, full := range m.full {
		if !full.After(now) {
			delete(m.full, client)
		}
	}
	m.sweeps = max(sweepSize, 2*len(m.full))
}

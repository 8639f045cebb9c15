package auth

import (
	"maps"
	"sync"
)

// Outcome is a way in which a handshake or the check of a call can end.
type Outcome struct {
	// Of is the kind of operation: "handshake" or "call".
	Of string
	// Role is this end's part in it: "client" or "server".
	Role string
	// Result is "proven" for a handshake, "broken" for one that broke off, or else the [rpcerr.Reason] of the refusal.
	// Calls that were let in are not counted; the metrics of RPCs do that.
	Result string
}

const (
	ofHandshake = "handshake"
	ofCall      = "call"

	resultProven = "proven"
	resultBroken = "broken"
)

// Outcomes counts how handshakes ended and for which reason calls were refused, since the Identity was made. The keys
// are a closed set, so they may become labels of a metric.
func (i *workload) Outcomes() map[Outcome]uint64 { return i.counters.snapshot() }

// counters count outcomes. They are rare beside calls: one for each connection, and one for each refusal.
type counters struct {
	mu     sync.Mutex
	counts map[Outcome]uint64
}

func (t *counters) count(o Outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = map[Outcome]uint64{}
	}
	t.counts[o]++
}

func (t *counters) snapshot() map[Outcome]uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.counts)
}

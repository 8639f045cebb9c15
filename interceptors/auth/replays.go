package auth

import (
	"sync"
	"time"
)

// replays remembers the proofs of possession that a server has seen, for as long as any of them could be good again.
type replays struct {
	mu    sync.Mutex
	seen  map[proofUse]struct{}
	queue []seenProof // oldest first
}

// proofUse names a proof. There is one type of proof only, so the type is no part of the name.
type proofUse struct {
	issuer ID
	id     string
}

type seenProof struct {
	use proofUse
	at  time.Time
}

func newReplays() *replays { return &replays{seen: make(map[proofUse]struct{})} }

// use notes a proof. It reports whether it is seen for the first time, or that there is no room to note it.
func (r *replays) use(use proofUse, now time.Time) (fresh, full bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for ; n < len(r.queue) && now.Sub(r.queue[n].at) >= replayMemory; n++ {
		delete(r.seen, r.queue[n].use)
	}
	r.queue = r.queue[n:]
	if _, known := r.seen[use]; known {
		return false, false
	}
	if len(r.seen) >= maxSeenProofs {
		return false, true
	}
	r.seen[use] = struct{}{}
	r.queue = append(r.queue, seenProof{use, now})
	return true, false
}

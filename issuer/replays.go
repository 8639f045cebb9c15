package issuer

import (
	"strings"
	"sync"
	"time"
)

// replays remembers the assertions that were seen, for as long as any of them could be good again.
type replays struct {
	mu    sync.Mutex
	seen  map[assertionID]struct{}
	queue []seenAssertion // oldest first
}

// assertionID names the token with which a service logged in.
type assertionID struct{ client, id string }

type seenAssertion struct {
	assertionID
	at time.Time
}

func newReplays() *replays { return &replays{seen: map[assertionID]struct{}{}} }

// use notes an assertion. It reports whether it is seen for the first time, or that there is no room to note it.
func (r *replays) use(a assertionID, now time.Time) (fresh, full bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for ; n < len(r.queue) && now.Sub(r.queue[n].at) >= replayMemory; n++ {
		delete(r.seen, r.queue[n].assertionID)
	}
	r.queue = r.queue[n:]
	if _, known := r.seen[a]; known {
		return false, false
	}
	if len(r.seen) >= maxAssertions {
		return false, true
	}
	a.id = strings.Clone(a.id) // the rest of the token need not stay
	r.seen[a] = struct{}{}
	r.queue = append(r.queue, seenAssertion{a, now})
	return true, false
}

package issuer

import (
	"strings"
	"sync"
	"time"
)

// replays remembers the logins that were seen, for as long as any of them could be good again.
type replays struct {
	mu    sync.Mutex
	seen  map[login]struct{}
	queue []seenLogin // oldest first
}

// login names the token with which a service logged in.
type login struct{ client, id string }

type seenLogin struct {
	login
	at time.Time
}

func newReplays() *replays { return &replays{seen: map[login]struct{}{}} }

// use notes a login. It reports whether it is seen for the first time, or that there is no room to note it.
func (r *replays) use(l login, now time.Time) (fresh, full bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for ; n < len(r.queue) && now.Sub(r.queue[n].at) >= replayMemory; n++ {
		delete(r.seen, r.queue[n].login)
	}
	r.queue = r.queue[n:]
	if _, known := r.seen[l]; known {
		return false, false
	}
	if len(r.seen) >= maxLogins {
		return false, true
	}
	l.id = strings.Clone(l.id) // the rest of the token need not stay
	r.seen[l] = struct{}{}
	r.queue = append(r.queue, seenLogin{l, now})
	return true, false
}

// Package replays remembers proofs and assertions that may be used once, for as long as one of them could be accepted
// again.
package replays

import (
	"sync"
	"time"
)

// Memory remembers uses by their names. It is safe for concurrent use.
type Memory[N comparable] struct {
	life time.Duration
	most int

	mu    sync.Mutex
	seen  map[N]struct{}
	queue []sight[N] // oldest first
}

type sight[N comparable] struct {
	name N
	at   time.Time
}

// New returns a memory that keeps a use for life, and most of them at once.
func New[N comparable](life time.Duration, most int) *Memory[N] {
	return &Memory[N]{life: life, most: most, seen: map[N]struct{}{}}
}

// Use notes a use. It reports whether it is the first one of that name, or that there is no room to note it. Strings in
// a name should not be parts of longer ones, which would stay, too.
func (m *Memory[N]) Use(name N, now time.Time) (fresh, full bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for ; n < len(m.queue) && now.Sub(m.queue[n].at) >= m.life; n++ {
		delete(m.seen, m.queue[n].name)
	}
	m.queue = m.queue[n:]
	if _, known := m.seen[name]; known {
		return false, false
	}
	if len(m.seen) >= m.most {
		return false, true
	}
	m.seen[name] = struct{}{}
	m.queue = append(m.queue, sight[N]{name, now})
	return true, false
}

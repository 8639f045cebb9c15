// Package replays remembers proofs and assertions that may be used once, for as long as one of them could be accepted
// again.
package replays

import (
	"sync"
	"time"

	"github.com/parley-rpc/parley/internal/shares"
)

// Memory remembers uses by their owners and names. Each owner has its share of it (see [shares.Table]), so that none
// can fill it for the others. It is safe for concurrent use.
type Memory[O, N comparable] struct {
	life time.Duration

	mu     sync.Mutex
	shares *shares.Table[O]
	seen   map[use[O, N]]struct{}
	queue  []sight[O, N] // oldest first
}

type use[O, N comparable] struct {
	owner O
	name  N
}

type sight[O, N comparable] struct {
	use use[O, N]
	at  time.Time
}

// New returns a memory that keeps a use for life, and size of them at once.
func New[O, N comparable](life time.Duration, size int) *Memory[O, N] {
	return &Memory[O, N]{life: life, shares: shares.NewTable[O](size, 0), seen: map[use[O, N]]struct{}{}}
}

// Use notes a use, and reports whether it is the first one of that owner and name. The error, [shares.ErrShare] or
// [shares.ErrFull], says that there is no room to note it, and that it must not be accepted. Strings in a name should
// not be parts of longer ones, which would stay, too.
func (m *Memory[O, N]) Use(owner O, name N, now time.Time) (fresh bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for ; n < len(m.queue) && now.Sub(m.queue[n].at) >= m.life; n++ {
		delete(m.seen, m.queue[n].use)
		m.shares.Give(m.queue[n].use.owner)
	}
	m.queue = m.queue[n:]
	u := use[O, N]{owner, name}
	if _, known := m.seen[u]; known {
		return false, nil
	}
	if err := m.shares.Take(owner); err != nil {
		return false, err
	}
	m.seen[u] = struct{}{}
	m.queue = append(m.queue, sight[O, N]{u, now})
	return true, nil
}

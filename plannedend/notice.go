package plannedend

import (
	"context"
	"sync"
	"time"
)

// Notice announces the planned end of a stream. A nil Notice never announces an end. It is safe for concurrent use.
type Notice struct {
	coming chan struct{}
	ended  chan struct{}
	end    sync.Once

	mu        sync.Mutex
	by        time.Time
	followers map[*Notice]struct{}
}

// New returns a Notice without an end. Code that plans the end of streams calls it.
func New() *Notice { return &Notice{coming: make(chan struct{}), ended: make(chan struct{})} }

// Coming returns a channel that is closed when an end is announced. For a nil Notice the channel is nil.
func (n *Notice) Coming() <-chan struct{} {
	if n == nil {
		return nil
	}
	return n.coming
}

// By returns the latest time at which the stream ends. It returns the zero time before an end is announced.
func (n *Notice) By() time.Time {
	if n == nil {
		return time.Time{}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.by
}

// Announce announces an end. If it is called several times, the earliest end applies.
func (n *Notice) Announce(by time.Time) {
	n.mu.Lock()
	first := n.by.IsZero()
	if !first && !by.Before(n.by) {
		n.mu.Unlock()
		return
	}
	n.by = by
	followers := make([]*Notice, 0, len(n.followers))
	for f := range n.followers {
		followers = append(followers, f)
	}
	n.mu.Unlock()
	if first {
		close(n.coming)
	}
	for _, f := range followers {
		f.Announce(by)
	}
}

// End ends the notified streams. Code that announced the end calls it.
func (n *Notice) End() { n.end.Do(func() { close(n.ended) }) }

// Ended returns a channel that is closed when streams must end. For a nil Notice the channel is nil.
func (n *Notice) Ended() <-chan struct{} {
	if n == nil {
		return nil
	}
	return n.ended
}

// Follow makes n announce each end that other announces, until stop is called. Other may be nil.
func (n *Notice) Follow(other *Notice) (stop func()) {
	if other == nil {
		return func() {}
	}
	other.mu.Lock()
	if other.followers == nil {
		other.followers = map[*Notice]struct{}{}
	}
	other.followers[n] = struct{}{}
	by := other.by
	other.mu.Unlock()
	if !by.IsZero() {
		n.Announce(by)
	}
	return func() {
		other.mu.Lock()
		defer other.mu.Unlock()
		delete(other.followers, n)
	}
}

type noticeKey struct{}

// NewContext returns a context with n, which [FromContext] returns.
func NewContext(ctx context.Context, n *Notice) context.Context {
	return context.WithValue(ctx, noticeKey{}, n)
}

// FromContext returns the Notice of a handler's stream. It returns nil, whose methods may be called, if there is none.
func FromContext(ctx context.Context) *Notice {
	n, _ := ctx.Value(noticeKey{}).(*Notice)
	return n
}

package plannedend

import (
	"context"
	"sync"
	"time"
)

// Notice says that a stream is to end, and by when. A nil Notice says that nothing is known. It is safe for concurrent
// use.
type Notice struct {
	coming chan struct{}
	ended  chan struct{}
	end    sync.Once

	mu        sync.Mutex
	by        time.Time
	followers map[*Notice]struct{}
}

// New returns a Notice of an end that is not known yet, for those who decide on ends.
func New() *Notice { return &Notice{coming: make(chan struct{}), ended: make(chan struct{})} }

// Coming returns a channel that is closed when the end is planned. It is nil, and never ready, where nothing is known.
func (n *Notice) Coming() <-chan struct{} {
	if n == nil {
		return nil
	}
	return n.coming
}

// By returns when the stream ends at the latest, and the zero time before the end is planned.
func (n *Notice) By() time.Time {
	if n == nil {
		return time.Time{}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.by
}

// Announce plans the end. Of several ends the earliest counts.
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

// End ends the streams that were told of the end. It is for those who announced it.
func (n *Notice) End() { n.end.Do(func() { close(n.ended) }) }

// Ended returns a channel that is closed when streams must end. It is nil, and never ready, where nothing is known.
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

// NewContext returns a context in which [FromContext] finds n.
func NewContext(ctx context.Context, n *Notice) context.Context {
	return context.WithValue(ctx, noticeKey{}, n)
}

// FromContext returns the Notice of the stream that a handler serves, and nil, which may be used, where there is none.
func FromContext(ctx context.Context) *Notice {
	n, _ := ctx.Value(noticeKey{}).(*Notice)
	return n
}

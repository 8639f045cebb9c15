package waterfall

import (
	"context"
	"iter"
	"slices"
)

// Watch follows the ring. It yields first the calls that the ring keeps, then, as often as the loop comes round and
// something has changed, the calls that changed since; each time the oldest first, and each call in its latest state.
// It waits while nothing changes, and ends with ctx or with Shutdown.
//
// The loop sets the pace: however slow it is, nothing queues up and no span waits for it. It misses only intermediate
// states, and calls that the ring forgot in the meantime. The length of a call that is open grows without a change.
func (r *Ring) Watch(ctx context.Context) iter.Seq[[]Call] {
	return func(yield func([]Call) bool) {
		wake := r.subscribe()
		defer r.unsubscribe(wake)
		for seen, open := uint64(0), true; ctx.Err() == nil; {
			calls, latest := r.changedSince(seen)
			if len(calls) > 0 && !yield(calls) || !open {
				return
			}
			seen = latest
			select {
			case <-ctx.Done():
			case _, open = <-wake:
			}
		}
	}
}

// subscribe returns a channel that receives after a change and is closed by Shutdown.
func (r *Ring) subscribe() chan struct{} {
	wake := make(chan struct{}, 1)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shut {
		close(wake)
		return wake
	}
	r.watchers = append(r.watchers, wake)
	return wake
}

func (r *Ring) unsubscribe(wake chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watchers = slices.DeleteFunc(r.watchers, func(w chan struct{}) bool { return w == wake })
}

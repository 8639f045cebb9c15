package waterfall

import (
	"context"
	"iter"
	"slices"
)

// Watch follows the ring. It first yields the calls that the ring keeps. Then it waits for changes and yields the
// changed calls, in each iteration of the loop. The calls are in their latest state, oldest first. It ends with ctx or
// with Shutdown.
//
// A slow loop neither fills a queue nor delays a span. It only misses intermediate states, and calls that were replaced
// in the meantime. The growing duration of an open call is not a change.
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

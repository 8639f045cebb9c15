package discovery

import (
	"sync"
	"time"

	"github.com/parley-rpc/parley/discovery/driver"
)

// Subscribe calls fn with the state of a service: as soon as something is known, then whenever the latest state differs
// from the last one that fn received. It never blocks.
//
// Calls of fn come one at a time from a goroutine of its own. A slow fn delays no other subscriber, and skips states
// that are out of date when it returns. All subscribers of a service share one watch, which goes on for the time of
// [WithLinger] after the last of them has cancelled; a subscriber that comes in that time gets the known state at once.
//
// Cancel ends the subscription. It may be called many times, also by fn; a call of fn that is under way may still
// finish after it. Fn must not call [Registry.Close].
//
// With a name that [driver.CheckService] refuses, or on a closed Registry, fn is called once, before Subscribe returns,
// with the error.
func (r *Registry) Subscribe(service string, fn func(State)) (cancel func()) {
	if err := driver.CheckService(service); err != nil {
		fn(State{Err: r.fault("find", service, err)})
		return func() {}
	}
	s := &subscription{fn: fn, wake: make(chan struct{}, 1), done: make(chan struct{})}
	w := r.join(service, s)
	if w == nil {
		fn(State{Err: r.fault("find", service, ErrClosed)})
		return func() {}
	}
	return sync.OnceFunc(func() {
		close(s.done)
		r.leave(w, s)
	})
}

// subscription is one user of a watch.
type subscription struct {
	fn   func(State)
	wake chan struct{} // holds one token while there may be something new
	done chan struct{}
}

func (s *subscription) notify() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *subscription) run(w *watch) {
	var seen uint64
	for {
		select {
		case <-s.wake:
		case <-s.done:
			return
		case <-w.registry.ctx.Done():
			return
		}
		select {
		case <-s.done:
			return
		default:
		}
		if state, version := w.current(); version != seen {
			seen = version
			s.fn(state)
		}
	}
}

// join makes s a user of the watch of service. It returns nil when the Registry is closed.
func (r *Registry) join(service string, s *subscription) *watch {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	w := r.watches[service]
	if w == nil {
		w = newWatch(r, service)
		r.watches[service] = w
	}
	w.users++
	if w.linger != nil {
		w.linger.Stop()
		w.linger = nil
	}
	w.mu.Lock()
	w.subscriptions[s] = struct{}{}
	w.mu.Unlock()
	s.notify()
	r.running.Go(func() { s.run(w) })
	return w
}

// leave removes a user from a watch. A watch without users lingers.
func (r *Registry) leave(w *watch, s *subscription) {
	w.mu.Lock()
	delete(w.subscriptions, s)
	w.mu.Unlock()

	r.mu.Lock()
	defer r.mu.Unlock()
	w.users--
	if w.users > 0 || r.closed {
		return
	}
	if r.config.linger == 0 {
		r.endWatch(w)
		return
	}
	w.linger = time.AfterFunc(r.config.linger, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if w.users == 0 {
			r.endWatch(w)
		}
	})
}

// endWatch forgets a watch. The caller holds the lock.
func (r *Registry) endWatch(w *watch) {
	w.cancel()
	if r.watches[w.service] == w {
		delete(r.watches, w.service)
	}
}

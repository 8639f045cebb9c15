package discovery

import (
	"sync"
	"time"

	"github.com/parley-rpc/parley/discovery/driver"
)

// Subscribe calls fn with the state of a service: first as soon as there is a state, then whenever the state differs
// from the last one that fn received. Subscribe does not block.
//
// A separate goroutine calls fn, one call at a time. A slow fn does not delay other subscribers; it misses the states
// that are out of date by the time it returns. All subscribers of a service share one watch. The watch continues for
// the time of [WithLinger] after the last subscriber has canceled. A subscriber that joins in that time gets the
// current state at once.
//
// Cancel ends the subscription. It may be called several times, and by fn. A call of fn that is running may finish
// after cancel has returned. Fn must not call [Registry.Close].
//
// If [driver.CheckService] refuses the name, or the Registry is closed, fn is called once with the error before
// Subscribe returns.
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

// subscription is one subscriber of a watch.
type subscription struct {
	fn   func(State)
	wake chan struct{} // holds one token while there may be a new state
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

// join adds s to the watch of service. It returns nil when the Registry is closed.
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

// leave removes s from a watch. A watch without subscribers ends after the linger time.
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

// endWatch removes a watch. The caller holds the lock.
func (r *Registry) endWatch(w *watch) {
	w.cancel()
	if r.watches[w.service] == w {
		delete(r.watches, w.service)
	}
}

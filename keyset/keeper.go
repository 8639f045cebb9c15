package keyset

import (
	"context"
	"time"
)

// keeper is the goroutine that keeps a set fresh. It reads in a goroutine of its own, so that a source that hangs
// cannot keep old keys alive.
type keeper struct {
	cancel  context.CancelFunc
	stopped chan struct{}
	nudged  chan struct{} // the set was changed by another goroutine
}

// listener is notified of each new generation.
type listener struct{ changed func(generation uint64) }

// Listen calls changed with each new generation, one call at a time, until stop is called. It should return soon and
// must not call Close. A generation that is followed by another at once may be left out.
func (s *Set) Listen(changed func(generation uint64)) (stop func()) {
	l := &listener{changed}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners[l] = struct{}{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.listeners, l)
	}
}

func (s *Set) notify(generation uint64) {
	s.mu.Lock()
	listeners := make([]*listener, 0, len(s.listeners))
	for l := range s.listeners {
		listeners = append(listeners, l)
	}
	s.mu.Unlock()
	for _, l := range listeners {
		l.changed(generation)
	}
}

// start begins to read the source, at once and then when it is due, until Close. It does not wait for the first
// reading. Starting twice is harmless.
func (s *Set) start() {
	if s.fixed || s.err != nil || s.started.Load() || s.started.Swap(true) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.owner = &keeper{cancel: cancel, stopped: make(chan struct{}), nudged: make(chan struct{}, 1)}
	asked := make(chan struct{}, 1) // at most one reading is asked for before it begins
	s.unknown.start(asked)
	go s.keep(ctx, s.owner, asked)
}

// Close stops the reading and waits for one that is under way, which it cancels. From then on credentials of the issuer
// are refused with KEYS_UNAVAILABLE. It always returns nil; closing twice is harmless.
func (s *Set) Close() error {
	s.mu.Lock()
	owner := s.owner
	if !s.closed {
		s.closed = true
		s.current.Store(&snapshot{generation: s.current.Load().generation + 1, closed: true})
	}
	s.mu.Unlock()
	if owner != nil {
		owner.cancel()
		<-owner.stopped
	}
	return nil
}

// nudge makes the keeper look whether there is a new generation. Without a keeper the listeners are notified here.
func (s *Set) nudge() {
	s.mu.Lock()
	owner := s.owner
	s.mu.Unlock()
	if owner == nil {
		s.notify(s.Generation())
		return
	}
	select {
	case owner.nudged <- struct{}{}:
	default:
	}
}

func (s *Set) keep(ctx context.Context, k *keeper, asked <-chan struct{}) {
	defer close(k.stopped)
	defer s.unknown.start(nil)
	var (
		due      = time.NewTimer(0)
		old      = time.NewTimer(never)
		done     = make(chan time.Duration, 1)
		reading  bool
		again    bool // another was asked for while one was under way
		outrun   bool // the clock says that the keys are too old, and they wait for the reading that this has caused
		notified uint64
	)
	defer due.Stop()
	defer old.Stop()
	begin := func() {
		if !reading {
			reading = true
			go func() { done <- s.fetch(ctx) }()
		}
	}
	for {
		select {
		case <-ctx.Done():
			if reading {
				<-done
			}
			return
		case <-due.C:
			begin()
		case <-asked:
			again = reading
			begin()
		case <-k.nudged:
		case <-old.C:
			// A clock that was set forward must not take the keys away before they are read again.
			if outrun = !outrun && s.current.Load().outrun(time.Now(), s.wall()); outrun {
				old.Reset(fetchTimeout)
			} else {
				s.change(func(before *snapshot) *snapshot { return before.aged(time.Now(), s.wall()) })
			}
			begin()
		case wait := <-done:
			reading, outrun = false, false
			due.Reset(wait)
			if again {
				again = false
				begin()
			}
		}
		now := s.current.Load()
		if !outrun {
			old.Reset(now.left(time.Now(), s.wall()))
		}
		if now.generation != notified {
			notified = now.generation
			s.notify(notified)
		}
	}
}

package discoverytest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/driver"
)

// tap records the lists and states of one service. Watches and subscriptions add to it.
type tap struct {
	lab  *lab
	stop func()

	mu     sync.Mutex
	states []discovery.State
	ended  bool
	err    error
	moved  chan struct{} // closed and replaced by each addition
}

func newTap(l *lab) *tap { return &tap{lab: l, moved: make(chan struct{})} }

func (p *tap) add(s discovery.State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.states = append(p.states, s)
	p.move()
}

func (p *tap) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended, p.err = true, err
	p.move()
}

func (p *tap) move() {
	close(p.moved)
	p.moved = make(chan struct{})
}

// count returns the number of states.
func (p *tap) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.states)
}

// last returns the last state.
func (p *tap) last() discovery.State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.states[len(p.states)-1]
}

// since returns the states after the first n.
func (p *tap) since(n int) []discovery.State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.states[n:])
}

// await waits until the last state is as expected, and fails the test if this takes too long.
func (p *tap) await(within time.Duration, what string, ok func(discovery.State) bool) {
	p.lab.Helper()
	var last discovery.State
	if !p.wait(within, func() bool {
		if len(p.states) == 0 {
			return false
		}
		last = p.states[len(p.states)-1]
		return ok(last)
	}) {
		p.lab.Fatalf("%s: not within %v; the last of %d states is %s", what, within, p.count(), describe(last))
	}
}

// awaitEnd waits until the driver's Watch has returned and returns its error.
func (p *tap) awaitEnd(within time.Duration, what string) error {
	p.lab.Helper()
	if !p.wait(within, func() bool { return p.ended }) {
		p.lab.Fatalf("%s: Watch has not returned within %v", what, within)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// wait waits until ok, which is called with the lock held, returns true.
func (p *tap) wait(within time.Duration, ok func() bool) bool {
	timer := time.NewTimer(within)
	defer timer.Stop()
	for {
		p.mu.Lock()
		done, moved := ok(), p.moved
		p.mu.Unlock()
		if done {
			return true
		}
		select {
		case <-moved:
		case <-timer.C:
			return false
		}
	}
}

// watch calls the Watch of a driver until the test ends.
func (l *lab) watch(d driver.Driver, service string) *tap {
	p := newTap(l)
	ctx, cancel := context.WithCancel(l.ctx)
	p.stop = cancel
	var watching sync.WaitGroup
	watching.Go(func() {
		p.end(d.Watch(ctx, service, func(list []driver.Instance) { p.add(discovery.State{Instances: list, Known: true}) }))
	})
	l.Cleanup(func() {
		cancel()
		watching.Wait()
	})
	return p
}

// subscribe subscribes to payments.
func (l *lab) subscribe(r *discovery.Registry) *tap {
	p := newTap(l)
	p.stop = r.Subscribe("payments", p.add)
	return p
}

// registry returns a Registry with a new driver and short waits. It is closed when the test ends.
func (l *lab) registry(opts ...discovery.Option) *discovery.Registry {
	r := discovery.New(l.h.Driver(l.T), append([]discovery.Option{
		discovery.WithTTL(l.h.TTL),
		discovery.WithBackoff(50*time.Millisecond, 500*time.Millisecond),
	}, opts...)...)
	l.Cleanup(func() {
		if err := r.Close(); err != nil {
			l.Errorf("Registry.Close: %v", err)
		}
	})
	return r
}

// lists returns a condition: these instances are listed, in any order, with every field that the engine supports.
func (l *lab) lists(want ...driver.Instance) func(discovery.State) bool {
	want = sorted(l.carried(want...))
	return func(s discovery.State) bool {
		return s.Known && slices.EqualFunc(sorted(s.Instances), want, driver.Instance.Equal)
	}
}

func sorted(list []driver.Instance) []driver.Instance {
	return slices.SortedFunc(slices.Values(list), func(a, b driver.Instance) int { return cmp.Compare(a.ID, b.ID) })
}

// describe prints a state that fails a test, without flooding the log.
func describe(s discovery.State) string {
	const few = 5
	if n := len(s.Instances); n > few {
		return fmt.Sprintf("%d instances, known: %v, held: %v, error: %v", n, s.Known, s.Held, s.Err)
	}
	return fmt.Sprintf("%+v, known: %v, held: %v, error: %v", s.Instances, s.Known, s.Held, s.Err)
}

package discovery_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/driver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stage is a driver whose lists and errors a test controls.
type stage struct {
	mu      sync.Mutex
	watches []time.Time
	closed  int

	lists    chan []discovery.Instance
	failures chan error

	announce func(ctx context.Context, in discovery.Instance) (driver.Lease, error)
}

func newStage() *stage {
	return &stage{lists: make(chan []discovery.Instance), failures: make(chan error)}
}

func (s *stage) String() string { return "stage" }

func (s *stage) Watch(ctx context.Context, _ string, emit func([]discovery.Instance)) error {
	s.mu.Lock()
	s.watches = append(s.watches, time.Now())
	s.mu.Unlock()
	for {
		select {
		case list := <-s.lists:
			emit(list)
		case err := <-s.failures:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *stage) Announce(ctx context.Context, in discovery.Instance, _ time.Duration) (driver.Lease, error) {
	if s.announce == nil {
		return nil, driver.ErrNoRegistration
	}
	return s.announce(ctx, in)
}

func (s *stage) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed++
	return nil
}

// attempts returns when each Watch began.
func (s *stage) attempts() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.watches)
}

// list makes the engine list instances, and waits until all subscribers have received the list.
func (s *stage) list(instances ...discovery.Instance) {
	s.lists <- instances
	synctest.Wait()
}

// fail makes the engine fail, and waits until all subscribers have received the error.
func (s *stage) fail() {
	s.failures <- errBroken
	synctest.Wait()
}

// audience is a subscriber that remembers.
type audience struct {
	began time.Time

	mu     sync.Mutex
	states []discovery.State
	times  []time.Duration
}

func subscribe(r *discovery.Registry, service string) (*audience, func()) {
	a := &audience{began: time.Now()}
	return a, r.Subscribe(service, func(s discovery.State) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.states = append(a.states, s)
		a.times = append(a.times, time.Since(a.began))
	})
}

// count returns how many states were told.
func (a *audience) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.states)
}

// last returns the last state.
func (a *audience) last() discovery.State {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.states) == 0 {
		return discovery.State{}
	}
	return a.states[len(a.states)-1]
}

// story returns every state in one line, with its time.
func (a *audience) story() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var lines []string
	for i, s := range a.states {
		line := fmt.Sprintf("%v %v", a.times[i], ids(s.Instances))
		for _, flag := range []struct {
			on   bool
			text string
		}{{!s.Known, " unknown"}, {s.Held, " held"}, {s.Err != nil, " failing"}} {
			if flag.on {
				line += flag.text
			}
		}
		lines = append(lines, line)
	}
	return lines
}

func (a *audience) want(t *testing.T, want ...string) {
	t.Helper()
	if got := a.story(); !slices.Equal(got, want) {
		t.Errorf("told\n\t%q\nwant\n\t%q", got, want)
	}
}

func ids(list []discovery.Instance) []string {
	names := make([]string, 0, len(list))
	for _, in := range list {
		names = append(names, in.ID)
	}
	return names
}

// one returns an instance of the service payments.
func one(id string) discovery.Instance {
	return discovery.Instance{ID: id, Service: "payments", Addresses: []string{id + ":1"}}
}

var errBroken = errors.New("broken")

// open makes a Registry that is closed with the test.
func open(t testing.TB, d driver.Driver, opts ...discovery.Option) *discovery.Registry {
	r := discovery.New(d, opts...)
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return r
}

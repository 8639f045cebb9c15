package discovery

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errNoReason stands in for the reason that a driver owes when it ends a watch.
var errNoReason = errors.New("the driver ended the watch without a reason")

// watch follows one service for everyone in the process who asks for it.
type watch struct {
	registry *Registry
	service  string
	cancel   context.CancelFunc

	// Guarded by the Registry's lock.
	users  int
	linger *time.Timer

	lists    chan []Instance
	troubles chan error

	mu            sync.Mutex
	state         State
	version       uint64 // counts the states; 0 is none yet
	changed       time.Time
	listed        []Instance
	restarts      int
	subscriptions map[*subscription]struct{}
}

func newWatch(r *Registry, service string) *watch {
	ctx, cancel := context.WithCancel(r.ctx)
	w := &watch{
		registry:      r,
		service:       service,
		cancel:        cancel,
		lists:         make(chan []Instance),
		troubles:      make(chan error),
		subscriptions: make(map[*subscription]struct{}),
	}
	r.running.Go(func() { w.follow(ctx) })
	r.running.Go(func() { w.serve(ctx) })
	return w
}

// follow asks the driver to follow the service, again and again.
func (w *watch) follow(ctx context.Context) {
	retry := pace{config: &w.registry.config}
	for {
		sound, err := w.attempt(ctx)
		select {
		case w.troubles <- w.registry.fault("find", w.service, err):
		case <-ctx.Done():
			return
		}
		retry.survived(sound)
		if !retry.wait(ctx) {
			return
		}
	}
}

// attempt asks the driver once. It returns how long the driver vouched for its lists, and why it ceased to.
func (w *watch) attempt(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var answered time.Time
	err := w.registry.driver.Watch(ctx, w.service, func(list []Instance) {
		if ctx.Err() != nil {
			return // what a driver emits after the end is not vouched for
		}
		if answered.IsZero() {
			answered = time.Now()
		}
		select {
		case w.lists <- list:
		case <-ctx.Done():
		}
	})
	if err == nil {
		err = errNoReason
	}
	if answered.IsZero() {
		return 0, err
	}
	return time.Since(answered), err
}

// serve turns what the driver says into what the users see.
func (w *watch) serve(ctx context.Context) {
	v := newView(w.registry, w.service)
	defer v.close()
	for {
		restarted := false
		select {
		case list := <-w.lists:
			v.take(list)
		case err := <-w.troubles:
			v.doubt(err)
			restarted = true
		case <-v.patience.C:
			v.tire()
		case <-v.flush.C:
			v.flushed()
		case <-v.hold.C:
			v.believe()
		case <-ctx.Done():
			return
		}
		w.publish(v, restarted)
		if list, ok := v.good(); ok {
			w.registry.memory.remember(w.service, list)
		}
	}
}

func (w *watch) publish(v *view, restarted bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listed = v.listed
	if restarted {
		w.restarts++
	}
	if w.version > 0 && sameState(w.state, v.state) {
		return
	}
	w.state = v.state
	w.version++
	w.changed = time.Now()
	for s := range w.subscriptions {
		s.notify()
	}
}

// sameState tells whether two states of one watch show the same. A list that changes is a new slice.
func sameState(a, b State) bool {
	return sameSlice(a.Instances, b.Instances) && a.Known == b.Known && a.Held == b.Held && a.Err == b.Err && //nolint:errorlint // the very same error
		a.StaleSince.Equal(b.StaleSince)
}

func sameSlice(a, b []Instance) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

func (w *watch) current() (State, uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state, w.version
}

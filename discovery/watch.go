package discovery

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errNoReason replaces a nil error from a driver's Watch.
var errNoReason = errors.New("the driver ended the watch without a reason")

// watch follows one service for all its subscribers in the process.
type watch struct {
	registry *Registry
	service  string
	cancel   context.CancelFunc

	// The Registry's lock guards these fields.
	users  int
	linger *time.Timer

	lists    chan []Instance
	troubles chan error

	mu            sync.Mutex
	state         State
	version       uint64 // counts the states; 0 means that there is no state yet
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

// follow calls the driver's Watch again and again.
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

// attempt calls the driver's Watch once. It returns how long the driver vouched for its lists, and the error that ended
// Watch.
func (w *watch) attempt(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var answered time.Time
	err := w.registry.driver.Watch(ctx, w.service, func(list []Instance) {
		if ctx.Err() != nil {
			return // the driver no longer vouches for it
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

// serve turns the driver's lists and errors into states.
func (w *watch) serve(ctx context.Context) {
	v := newView(w.registry, w.service)
	defer v.close()
	for {
		restarted := false
		select {
		case list := <-w.lists:
			v.take(list)
		case err := <-w.troubles:
			v.fail(err)
			restarted = true
		case <-v.silence.C:
			v.timeOut()
		case <-v.flush.C:
			v.flushed()
		case <-v.hold.C:
			v.endHold()
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

// sameState reports whether two states of one watch are the same. Every changed list is a new slice.
func sameState(a, b State) bool {
	return sameSlice(a.Instances, b.Instances) && a.Known == b.Known && a.Held == b.Held &&
		a.Err == b.Err && //nolint:errorlint // the very same error
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

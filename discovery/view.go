package discovery

import (
	"log/slog"
	"time"
)

// view decides what the users of a service are shown, from what the engine says. One goroutine owns it; that goroutine
// also waits for its timers.
type view struct {
	registry *Registry
	service  string
	logger   *slog.Logger

	state  State
	listed []Instance // as the engine last listed them, draining ones included

	patience *time.Timer // until silence is an error

	flush      *time.Timer // until next is shown
	next       []Instance
	postponing bool
	window     time.Duration
	shown      time.Time

	hold     *time.Timer // until an empty list is believed
	holdFrom time.Time   // zero while the engine cannot be asked
	holdLeft time.Duration
}

func newView(r *Registry, service string) *view {
	return &view{
		registry: r,
		service:  service,
		logger:   r.config.logger.With(slog.String("service", service), slog.String("driver", r.String())),
		patience: time.NewTimer(r.config.firstWait),
		flush:    stoppedTimer(),
		hold:     stoppedTimer(),
		window:   r.config.debounce,
	}
}

func stoppedTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

func (v *view) close() {
	v.patience.Stop()
	v.flush.Stop()
	v.hold.Stop()
}

// take handles a list for which the engine vouches.
func (v *view) take(list []Instance) {
	v.patience.Stop()
	if v.state.Err != nil {
		v.logger.Info("discovery is back", slog.Int("listed", len(list)))
	}
	v.state.Err, v.state.StaleSince = nil, time.Time{}
	v.listed = readable(v.service, list)
	instances := callable(v.listed)
	switch {
	case len(v.state.Instances) == 0:
		v.show(instances) // an empty state is not worth keeping
	case len(instances) == 0:
		v.holdOn()
	default:
		v.letGo()
		v.postpone(instances)
	}
}

// doubt handles the end of an attempt to follow the service: what was listed last is kept.
func (v *view) doubt(err error) {
	v.patience.Stop()
	if v.state.Err == nil {
		v.logger.Warn("discovery fails; what was known before is kept", slog.Any("error", err), slog.Int("instances", len(v.state.Instances)))
	}
	v.state.Err = err
	if v.state.Known && v.state.StaleSince.IsZero() {
		v.state.StaleSince = time.Now()
	}
	if !v.holdFrom.IsZero() {
		v.hold.Stop()
		v.holdLeft -= time.Since(v.holdFrom)
		v.holdFrom = time.Time{}
	}
}

// tire handles that nothing was heard for too long.
func (v *view) tire() {
	v.state.Err = v.registry.fault("find", v.service, ErrSilent)
	v.logger.Warn("discovery fails", slog.Any("error", v.state.Err))
}

func (v *view) show(instances []Instance) {
	v.state.Instances, v.state.Known = instances, true
	v.shown = time.Now()
}

// postpone shows instances when the window of the current change ends, unless they are what is shown already. A change
// that comes long after the last one finds the window at its smallest again.
func (v *view) postpone(instances []Instance) {
	if sameInstances(instances, v.state.Instances) {
		v.drop()
		return
	}
	v.next = instances
	if v.postponing {
		return
	}
	if time.Since(v.shown) > 2*v.window {
		v.window = v.registry.config.debounce
	}
	if v.window == 0 {
		v.show(instances)
		return
	}
	v.postponing = true
	v.flush.Reset(v.window)
}

// flushed handles the end of the window.
func (v *view) flushed() {
	v.show(v.next)
	v.drop()
	v.window = min(2*v.window, v.registry.config.debounceMost)
}

// drop forgets what was postponed.
func (v *view) drop() {
	v.flush.Stop()
	v.next, v.postponing = nil, false
}

// holdOn keeps what is shown although the engine lists nothing, until that was so for long enough.
func (v *view) holdOn() {
	v.drop()
	if !v.state.Held {
		v.state.Held, v.holdLeft = true, v.registry.config.emptyHold
		v.logger.Warn("discovery lists nothing; the last good list is held", slog.Int("instances", len(v.state.Instances)), slog.Duration("for", v.holdLeft))
	}
	if v.holdLeft <= 0 {
		v.believe()
		return
	}
	if v.holdFrom.IsZero() {
		v.holdFrom = time.Now()
		v.hold.Reset(v.holdLeft)
	}
}

// believe ends the hold by showing the empty list.
func (v *view) believe() {
	v.logger.Warn("discovery still lists nothing; the last good list is given up", slog.Int("instances", len(v.state.Instances)))
	v.letGo()
	v.show(nil)
}

// letGo ends the hold.
func (v *view) letGo() {
	v.hold.Stop()
	v.state.Held, v.holdFrom, v.holdLeft = false, time.Time{}, 0
}

package discovery

import (
	"log/slog"
	"time"
)

// view turns what the engine lists into the state that subscribers receive. One goroutine owns it and waits for its
// timers.
type view struct {
	registry *Registry
	service  string
	logger   *slog.Logger

	state  State
	listed []Instance // as the engine last listed them, draining ones included

	silence *time.Timer // until silence is an error

	flush      *time.Timer // until next is shown
	next       []Instance
	postponing bool
	window     time.Duration
	shown      time.Time

	losses   losses
	hold     *time.Timer // until a loss is accepted
	holdFrom time.Time   // zero while the engine cannot be asked
	holdLeft time.Duration
}

func newView(r *Registry, service string) *view {
	return &view{
		registry: r,
		service:  service,
		logger:   r.config.logger.With(slog.String("service", service), slog.String("driver", r.String())),
		silence:  time.NewTimer(r.config.firstWait),
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
	v.silence.Stop()
	v.flush.Stop()
	v.hold.Stop()
}

// take handles a list for which the engine vouches.
func (v *view) take(list []Instance) {
	v.silence.Stop()
	if v.state.Err != nil {
		v.logger.Info("discovery is back", slog.Int("listed", len(list)))
	}
	v.state.Err, v.state.StaleSince = nil, time.Time{}
	before := v.listed
	v.listed = usable(v.service, list)
	v.losses.note(before, v.listed, !v.state.Held)
	instances := callable(v.listed)
	switch {
	case len(v.state.Instances) == 0:
		v.losses.forget()
		v.show(instances) // there is nothing to hold
	case len(instances) == 0:
		v.drop()
		v.holdOn()
	case v.registry.config.hold > 0 && v.losses.most(instances):
		v.postpone(v.losses.join(instances))
		v.holdOn()
	default:
		v.clearHold()
		v.postpone(instances)
	}
}

// fail handles the end of an attempt to follow the service. The last list is kept.
func (v *view) fail(err error) {
	v.silence.Stop()
	if v.state.Err == nil {
		v.logger.Warn(
			"discovery fails; what was known before is kept",
			slog.Any("error", err),
			slog.Int("instances", len(v.state.Instances)),
		)
	}
	v.state.Err = err
	v.recall()
	if v.state.Known && v.state.StaleSince.IsZero() {
		v.state.StaleSince = time.Now()
	}
	if !v.holdFrom.IsZero() {
		v.hold.Stop()
		v.holdLeft -= time.Since(v.holdFrom)
		v.holdFrom = time.Time{}
	}
}

// timeOut handles an engine that has not answered for the time of WithFirstWait.
func (v *view) timeOut() {
	v.state.Err = v.registry.fault("find", v.service, ErrSilent)
	v.logger.Warn("discovery fails", slog.Any("error", v.state.Err))
	v.recall()
}

// recall shows the list of an earlier process while the engine has listed nothing. The engine's first list is compared
// with it: an engine that was down itself may list only the instances that have found it again so far.
func (v *view) recall() {
	if v.state.Known {
		return
	}
	list, saved := v.registry.memory.recall(v.service)
	if len(list) == 0 {
		return
	}
	v.listed = usable(v.service, list)
	v.show(callable(v.listed))
	v.state.StaleSince = saved
	v.logger.Warn(
		"discovery is used as it was when the file was written",
		slog.String("file", v.registry.memory.path),
		slog.Time("written", saved),
		slog.Int("instances", len(v.state.Instances)),
	)
}

// good returns the list to remember, and whether the engine vouches for it.
func (v *view) good() ([]Instance, bool) {
	return v.listed, v.state.Known && v.state.Err == nil && !v.state.Held
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

// drop forgets the postponed list.
func (v *view) drop() {
	v.flush.Stop()
	v.next, v.postponing = nil, false
}

// holdOn keeps what is shown although the engine lists nothing or has lost most of it, until the hold time is over.
func (v *view) holdOn() {
	if !v.state.Held {
		v.state.Held, v.holdLeft = true, v.registry.config.hold
		v.logger.Warn("discovery suddenly lists few instances or none; those of before are held",
			slog.Int("listed", len(v.listed)), slog.Int("instances", len(v.state.Instances)), slog.Duration("for", v.holdLeft))
	}
	if v.holdLeft <= 0 {
		v.endHold()
		return
	}
	if v.holdFrom.IsZero() {
		v.holdFrom = time.Now()
		v.hold.Reset(v.holdLeft)
	}
}

// endHold ends the hold and shows what the engine lists.
func (v *view) endHold() {
	v.logger.Warn("discovery has listed few instances or none for long; those of before are given up",
		slog.Int("listed", len(v.listed)), slog.Int("instances", len(v.state.Instances)))
	v.clearHold()
	v.losses.forget()
	v.drop()
	v.show(callable(v.listed))
}

// clearHold forgets the hold.
func (v *view) clearHold() {
	v.hold.Stop()
	v.state.Held, v.holdFrom, v.holdLeft = false, time.Time{}, 0
}

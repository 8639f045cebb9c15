package discovery

import (
	"log/slog"
	"time"
)

// view makes the state that subscribers receive from the lists of the engine. One goroutine owns it and waits for its
// timers.
type view struct {
	registry *Registry
	service  string
	logger   *slog.Logger

	state  State
	listed []Instance // the last list of the engine, including draining instances

	silence *time.Timer // runs until silence is an error

	flush      *time.Timer // runs until next is shown
	next       []Instance
	postponing bool
	window     time.Duration
	shown      time.Time

	losses   losses
	hold     *time.Timer // runs until a loss is accepted
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
		v.show(instances) // no instance to hold
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
			"discovery fails; the known instances are kept",
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

// recall shows the list of an earlier process until the engine has sent a list. The engine's first list is compared
// with it, because an engine that was down itself may list only the instances that have registered again so far.
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
		"discovery uses the instances from the file until the engine answers",
		slog.String("file", v.registry.memory.path),
		slog.Time("written", saved),
		slog.Int("instances", len(v.state.Instances)),
	)
}

// good returns the list to keep in the file, and whether the engine vouches for it.
func (v *view) good() ([]Instance, bool) {
	return v.listed, v.state.Known && v.state.Err == nil && !v.state.Held
}

func (v *view) show(instances []Instance) {
	v.state.Instances, v.state.Known = instances, true
	v.shown = time.Now()
}

// postpone shows instances when the window of the current change ends, unless they are shown already. The window of a
// change long after the previous one has its smallest size again.
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

// drop discards the postponed list.
func (v *view) drop() {
	v.flush.Stop()
	v.next, v.postponing = nil, false
}

// holdOn keeps showing the present instances for the hold time, although the engine lists none or has lost most of
// them.
func (v *view) holdOn() {
	if !v.state.Held {
		v.state.Held, v.holdLeft = true, v.registry.config.hold
		v.logger.Warn("discovery suddenly lists few instances or none; the previous instances are held",
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

// endHold ends the hold and shows the list of the engine.
func (v *view) endHold() {
	v.logger.Warn("discovery has listed few instances or none for the whole hold time; its list is used now",
		slog.Int("listed", len(v.listed)), slog.Int("instances", len(v.state.Instances)))
	v.clearHold()
	v.losses.forget()
	v.drop()
	v.show(callable(v.listed))
}

// clearHold resets the hold.
func (v *view) clearHold() {
	v.hold.Stop()
	v.state.Held, v.holdFrom, v.holdLeft = false, time.Time{}, 0
}

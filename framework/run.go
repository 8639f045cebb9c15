package framework

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/parley-rpc/parley/discovery"
)

// Run starts the App, serves until ctx ends or something fails, and stops it. It does not install signal handlers; give
// it a context of signal.NotifyContext.
//
// The start: check, bind every address, start background work, serve, wait until ready, register in discovery. The stop:
// announce draining, deregister, wait until no new calls arrive, send GOAWAY, wait for the calls in flight, cut what is
// left, stop background work, close clients, flush telemetry. Each wait is bounded (see the lifecycle section of the
// configuration), and only what was started is stopped.
//
// Run returns nil after a clean stop. Otherwise it returns everything that went wrong, joined: the error of [App.Check], a
// port in use, the error of background work, a [*CutError] for calls that had to be cut, what failed while stopping. An
// App runs once; a second call returns an error.
func (a *App) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if err := a.enter(stop); err != nil {
		return err
	}
	defer close(a.runEnded)
	if err := a.Check(); err != nil {
		return errors.Join(err, a.stopRest())
	}
	r := &run{app: a, logger: a.parts.logger, failed: make(chan error, 1)}
	err := r.start(ctx)
	if err == nil {
		err = r.serve(ctx)
	}
	return errors.Join(err, r.stop())
}

// Close stops an App that does not run, such as that of a program that only calls: background waits of its clients end,
// their connections are closed, telemetry is flushed. On a running App it ends [App.Run], waits for it, and leaves the
// errors to it. Closing twice does nothing.
func (a *App) Close() error {
	a.mu.Lock()
	before, stop := a.stage, a.stopRun
	a.stage = stageStopped
	a.mu.Unlock()
	switch {
	case stop != nil:
		stop()
		<-a.runEnded
		return nil
	case before == stageBuilt:
		return a.stopRest()
	}
	return nil
}

func (a *App) enter(stop context.CancelFunc) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch a.stage {
	case stageRunning:
		return errRanTwice
	case stageStopped:
		return errors.Join(errRanTwice, ErrClosed)
	case stageBuilt:
	}
	a.stage, a.stopRun = stageRunning, stop
	return nil
}

// stopRest closes the clients and everything under them.
func (a *App) stopRest() error {
	a.mu.Lock()
	a.stage = stageStopped
	clients := a.clients
	a.mu.Unlock()
	var errs []error
	for _, c := range clients {
		errs = append(errs, c.close())
	}
	ctx, cancel := context.WithTimeout(context.Background(), a.parts.lifecycle().flush)
	defer cancel()
	return errors.Join(append(errs, a.dispose(ctx))...)
}

// run is one run of an App: what has been started, for stop to stop.
type run struct {
	app    *App
	logger *slog.Logger
	failed chan error // the first thing that ends the run early

	servers    []*Server
	surfaces   []*surface
	background []*runningTask
	readiness  readiness

	mu            sync.Mutex
	registrations []*discovery.Registration
	draining      bool
}

func (r *run) fail(err error) {
	select {
	case r.failed <- err:
	default:
	}
}

func (r *run) start(ctx context.Context) error {
	if r.app.insecure {
		r.logger.Warn("running WithInsecureDev: no identity, no encryption, no authorization; never use it in production")
	}
	if err := r.bind(ctx); err != nil {
		return err
	}
	for _, t := range r.app.background {
		r.background = append(r.background, r.startTask(t))
	}
	for _, s := range r.servers {
		s.serve(r.fail)
	}
	for _, s := range r.surfaces {
		s.serve(r.fail)
	}
	r.readiness.start(r.app.readiness, r.applyReadiness)
	select {
	case <-r.readiness.first:
	case err := <-r.failed:
		return err
	case <-ctx.Done():
		return nil
	}
	r.register(ctx)
	close(r.app.announced)
	r.logger.Info("serving", slog.String("service", r.app.name))
	return nil
}

// serve waits for the end of ctx or a failure.
func (r *run) serve(ctx context.Context) error {
	select {
	case err := <-r.failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// bind binds every address, or none.
func (r *run) bind(ctx context.Context) error {
	var errs []error
	for _, s := range r.app.servers {
		if err := s.bind(ctx); err != nil {
			errs = append(errs, err)
			continue
		}
		s.build()
		r.servers = append(r.servers, s)
	}
	surfaces, err := r.app.openSurfaces(ctx, r)
	r.surfaces = surfaces
	if err := errors.Join(append(errs, err)...); err != nil {
		for _, s := range r.servers {
			err = errors.Join(err, s.bound.Close())
		}
		for _, s := range r.surfaces {
			err = errors.Join(err, s.listener.Close())
		}
		r.servers, r.surfaces = nil, nil
		return err
	}
	return nil
}

// register announces the servers in discovery, in the state that readiness has by now.
func (r *run) register(ctx context.Context) {
	if r.app.parts.registry == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.servers {
		if s.service == "" {
			continue
		}
		instance := s.instance()
		instance.Draining = r.draining
		r.registrations = append(r.registrations, r.app.parts.registry.Register(ctx, instance))
	}
}

// runningTask is background work that has been started.
type runningTask struct {
	name   string
	cancel context.CancelFunc
	ended  chan struct{}
}

func (r *run) startTask(t task) *runningTask {
	ctx, cancel := context.WithCancel(context.Background())
	running := &runningTask{t.name, cancel, make(chan struct{})}
	go func() {
		defer close(running.ended)
		err := t.run(ctx)
		if err != nil && ctx.Err() == nil {
			r.fail(fmt.Errorf("background work %q: %w", t.name, err))
		}
	}()
	return running
}

// readiness asks the App's checks again and again and tells the outcome.
type readiness struct {
	checks []check
	first  chan struct{} // closed once everything has been ready
	stop   context.CancelFunc
	ended  sync.WaitGroup
}

func (rd *readiness) start(checks []check, apply func(ready bool, why error)) {
	ctx, cancel := context.WithCancel(context.Background())
	rd.checks, rd.first, rd.stop = checks, make(chan struct{}), cancel
	rd.ended.Go(func() { rd.watch(ctx, apply) })
}

func (rd *readiness) watch(ctx context.Context, apply func(bool, error)) {
	var once sync.Once
	ticker := time.NewTicker(readinessInterval)
	defer ticker.Stop()
	for {
		why := rd.ask(ctx)
		if ctx.Err() != nil {
			return
		}
		apply(why == nil, why)
		if why == nil {
			once.Do(func() { close(rd.first) })
		}
		if len(rd.checks) == 0 {
			return // nothing can change
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (rd *readiness) ask(ctx context.Context) error {
	var errs []error
	for _, c := range rd.checks {
		ctx, cancel := context.WithTimeout(ctx, readinessTimeout)
		if err := c.ready(ctx); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.name, err))
		}
		cancel()
	}
	return errors.Join(errs...)
}

// end stops asking and waits for a check that is being asked.
func (rd *readiness) end() {
	if rd.stop != nil {
		rd.stop()
		rd.ended.Wait()
	}
}

// applyReadiness makes health, probes and discovery show whether the App is ready.
func (r *run) applyReadiness(ready bool, why error) {
	if was := r.app.ready.Swap(ready); was != ready {
		if ready {
			r.logger.Info("ready")
		} else {
			r.logger.Warn("not ready", slog.Any("why", why))
		}
	}
	for _, s := range r.servers {
		s.setServing(ready)
	}
	r.announce(!ready)
}

// announce shows the registered instances as draining or not.
func (r *run) announce(draining bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.draining == draining {
		return
	}
	r.draining = draining
	for _, reg := range r.registrations {
		ctx, cancel := context.WithTimeout(context.Background(), readinessTimeout)
		err := reg.Update(ctx, func(in *discovery.Instance) { in.Draining = draining })
		cancel()
		if err != nil {
			r.logger.Warn("discovery does not take the new state", slog.Any("error", err))
		}
	}
}

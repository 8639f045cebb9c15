package framework

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/parley-rpc/parley/admin"
	"github.com/parley-rpc/parley/discovery"
)

// Run starts the App, serves until ctx ends or a part fails, and stops the App. It does not install signal handlers;
// pass a context of signal.NotifyContext.
//
// The start checks the App, binds every address, starts background work, serves, waits until the App is ready, and
// registers it in discovery. The stop announces draining, deregisters, waits until no new calls arrive, sends GOAWAY,
// waits for the calls in flight, cuts the remaining calls, stops background work, closes clients, and flushes
// telemetry. Each wait has a limit; see the lifecycle section of the configuration. With the defaults a stop takes at
// most 26s, and less than 10s if the calls in flight end within 2s. After a failed start, only the started parts are
// stopped.
//
// Run returns nil after a clean stop. Otherwise it returns all errors, joined: the error of [App.Check], an error such
// as a port in use, the error of background work, a [*CutError] for calls that were cut, and errors of the stop. An App
// runs once; a second call returns an error.
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
	r := &run{app: a, logger: a.parts.logger, failed: make(chan struct{}, 1), budgets: budgetHistory{of: &a.budgets}}
	r.traffic = admin.NewTraffic(a.traffic)
	r.readiness.again, r.readiness.last = make(chan struct{}, 1), &a.checked
	if err := r.start(ctx); err != nil {
		return errors.Join(err, r.stop())
	}
	select {
	case <-r.failed:
	case <-ctx.Done():
	}
	stopped := r.stop()
	return errors.Join(r.failure(), stopped)
}

// Close stops an App that does not run, such as the App of a program that only makes calls. It ends the background
// waits of the clients, closes their connections, and flushes telemetry. If the App runs, Close ends [App.Run] and
// waits for it; Run then returns the errors. If a handler or background work of the App calls Close, Close waits until
// that call or work has been cut. A second Close waits for the first.
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
	default:
		err := a.stopRest()
		if before == stageStopped {
			return nil // the first Close has returned the error
		}
		return err
	}
}

func (a *App) enter(stop context.CancelFunc) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch a.stage {
	case stageRunning:
		return errRanTwice
	case stageStopped:
		if a.stopRun == nil {
			return fmt.Errorf("Run after Close: %w; make a new App with New", ErrClosed)
		}
		return errors.Join(errRanTwice, ErrClosed)
	case stageBuilt:
	}
	a.stage, a.stopRun = stageRunning, stop
	return nil
}

// stopRest closes the clients and the parts that they use.
func (a *App) stopRest() error {
	a.mu.Lock()
	a.stage = stageStopped
	clients := a.clients
	a.mu.Unlock()
	a.setUp.Do(a.assembleNothing)
	a.release.Do(func() {
		var errs []error
		for _, c := range clients {
			errs = append(errs, c.close())
		}
		ctx, cancel := context.WithTimeout(context.Background(), a.parts.lifecycle().flush)
		defer cancel()
		a.released = errors.Join(append(errs, a.dispose(ctx))...)
	})
	return a.released
}

// run is one run of an App: the started parts, which stop stops.
type run struct {
	app    *App
	logger *slog.Logger
	failed chan struct{} // receives a token when the run ends early

	servers    []*Server
	surfaces   []*surface
	background []*runningTask
	readiness  readiness
	budgets    budgetHistory
	traffic    *admin.Traffic
	asked      bool // readiness was applied at least once; only the goroutine of readiness uses it

	mu            sync.Mutex
	failures      []error
	registrations []*discovery.Registration
	draining      bool
}

// fail ends the run because of err.
func (r *run) fail(err error) {
	r.mu.Lock()
	r.failures = append(r.failures, err)
	r.mu.Unlock()
	select {
	case r.failed <- struct{}{}:
	default:
	}
}

// failure returns all errors that ended the run early, joined.
func (r *run) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return errors.Join(r.failures...)
}

func (r *run) start(ctx context.Context) error {
	if r.app.insecure {
		r.logger.Warn("running WithInsecureDev: no identity, no encryption, no authorization; never use it in production")
	}
	if err := r.bind(ctx); err != nil {
		return err
	}
	r.app.mu.Lock()
	tasks, checks := r.app.background, slices.Concat(r.app.parts.identityChecks(), r.app.readiness)
	r.app.mu.Unlock()
	if r.app.surfaceAddresses().admin != "" {
		r.background = append(r.background, startTask(task{"retry budget history", r.budgets.run}, r.logger, r.fail))
		r.background = append(r.background, startTask(task{"traffic history", r.traffic.Run}, r.logger, r.fail))
	}
	for _, t := range tasks {
		r.background = append(r.background, startTask(t, r.logger, r.fail))
	}
	for _, s := range r.servers {
		s.serve(r.fail)
	}
	for _, s := range r.surfaces {
		s.serve(r.fail)
	}
	r.readiness.start(r.logger, slices.Concat(checks, r.controlChecks()), r.applyReadiness)
	select {
	case <-r.readiness.first:
	case <-r.failed:
		return r.failure()
	case <-ctx.Done():
		return nil
	}
	r.register(ctx)
	close(r.app.announced)
	r.logger.Info("serving", slog.String("service", r.app.name))
	return nil
}

// bind binds every address, or none.
func (r *run) bind(ctx context.Context) error {
	r.app.mu.Lock()
	servers := r.app.servers
	r.app.mu.Unlock()
	var errs []error
	for _, s := range servers {
		if err := s.bind(ctx); err != nil {
			errs = append(errs, err)
			continue
		}
		r.servers = append(r.servers, s)
		s.reconsider = r.readiness.reconsider
		errs = append(errs, s.build())
	}
	surfaces, err := r.app.openSurfaces(ctx, r)
	r.surfaces = surfaces
	if err := errors.Join(append(errs, err)...); err != nil {
		for _, s := range r.servers {
			if s.grpc != nil {
				s.grpc.Stop()
			}
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

// register registers the servers in discovery, with the present readiness. If the engine is down, the start continues
// and the registry keeps trying.
func (r *run) register(ctx context.Context) {
	registry := r.app.parts.registry
	if registry == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, registerWait)
	defer cancel()
	for _, s := range r.servers {
		if s.service == "" {
			continue
		}
		instance := s.instance()
		instance.Draining = !r.app.ready.Load()
		reg := registry.Register(ctx, instance)
		r.mu.Lock()
		r.registrations = append(r.registrations, reg)
		r.mu.Unlock()
	}
	r.announce(!r.app.ready.Load(), engineTimeout) // readiness may have changed since
}

// applyReadiness updates health, probes and discovery.
func (r *run) applyReadiness(ready bool, why error) {
	was, first := r.app.ready.Swap(ready), !r.asked
	r.asked = true
	switch {
	case ready && !was:
		r.logger.Info("ready")
	case !ready && (was || first):
		r.logger.Warn("not ready", slog.Any("why", why))
	}
	for _, s := range r.servers {
		s.setServing(ready)
	}
	r.announce(!ready, engineTimeout)
}

// announce updates whether the registered instances are draining. It waits for the engine for at most bound.
func (r *run) announce(draining bool, bound time.Duration) {
	r.mu.Lock()
	registrations := slices.Clone(r.registrations)
	unchanged := r.draining == draining
	r.draining = draining
	r.mu.Unlock()
	if unchanged {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	for _, reg := range registrations {
		err := reg.Update(ctx, func(in *discovery.Instance) { in.Draining = draining })
		if err != nil {
			r.logger.Warn("discovery refuses the new state", slog.Any("error", err))
		}
	}
}

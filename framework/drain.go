package framework

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// DrainReport is the report of a stop.
type DrainReport struct {
	// Announced is how long draining was announced before the service deregistered.
	Announced time.Duration
	// Quiet is how long the stop then waited for new calls to stop arriving.
	Quiet time.Duration
	// ArrivalsStopped reports whether new calls stopped arriving within the limit.
	ArrivalsStopped bool
	// InFlight is the number of calls that ran when GOAWAY was sent.
	InFlight int
	// Graceful is how long the stop waited for those calls.
	Graceful time.Duration
	// Cut lists the calls that were still running at the end of the grace period and were cut.
	Cut []MethodCount
	// Stuck has the stacks of handlers that still ran after their calls were cut, because they ignore their context.
	Stuck []string
}

// MethodCount is a number of calls of one method.
type MethodCount struct {
	Method string
	Calls  int
}

func (m MethodCount) String() string { return fmt.Sprintf("%s (%d)", m.Method, m.Calls) }

// CutError is the error of [App.Run] if calls were still running at the end of the grace period and were cut.
type CutError struct {
	Report DrainReport
}

// Error returns the methods whose calls were cut, and the stacks of handlers that ignore their context.
func (e *CutError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "calls still ran %s after GOAWAY and were cut:", e.Report.Graceful.Round(time.Millisecond))
	for _, m := range e.Report.Cut {
		b.WriteString(" " + m.String())
	}
	if len(e.Report.Stuck) > 0 {
		fmt.Fprintf(&b, "; %d handlers ignore their context and still run; return when ctx is done:", len(e.Report.Stuck))
		for _, stack := range e.Report.Stuck {
			b.WriteString("\n" + stack)
		}
	}
	return b.String()
}

// stop stops everything that start has started. It is called once, after a successful or a failed start.
func (r *run) stop() error {
	times := r.app.parts.lifecycle()
	errs := []error{r.readiness.end()}
	r.app.ready.Store(false)
	left := times.grace // the rest of the grace is for background work

	if len(r.servers) > 0 {
		r.logger.Info("draining", slog.String("service", r.app.name))
		report, err := r.drain(times)
		errs = append(errs, err)
		r.app.report.Store(&report)
		r.logReport(report)
		left -= report.Graceful
		if len(report.Cut) > 0 {
			errs = append(errs, &CutError{report})
		}
	}
	errs = append(errs, stopTasks(r.background, max(endTimeout, left))...)
	for _, s := range slices.Backward(r.surfaces) {
		errs = append(errs, s.stop())
	}
	errs = append(errs, r.app.stopRest())
	return errors.Join(errs...)
}

// drain takes the servers out of service without losing an accepted call, within the time limits.
func (r *run) drain(times lifecycleTimes) (DrainReport, error) {
	var report DrainReport
	var failed error
	grace := times.grace / streamGraceShare
	for _, s := range r.servers {
		s.health.Shutdown()
		s.ending.Announce(time.Now().Add(times.announce + times.quiet + grace))
	}
	if len(r.registrations) > 0 || slices.ContainsFunc(r.servers, (*Server).controlled) {
		r.announce(true, stopEngineTimeout)
		time.Sleep(times.announce)
		report.Announced = times.announce
		failed = r.deregister()
	}
	started := time.Now()
	report.ArrivalsStopped = r.waitForQuiet(times.quiet)
	report.Quiet = time.Since(started)

	for _, s := range r.servers {
		report.InFlight += int(s.inFlight.total())
	}
	started = time.Now()
	graceful := r.sendGoAway()
	if !r.endsWithStreams(graceful, grace) && !endsWithin(graceful, times.grace-grace) {
		report.Graceful = times.grace
		for _, s := range r.servers {
			report.Cut = append(report.Cut, s.inFlight.byMethod()...)
			s.grpc.Stop()
		}
		if !endsWithin(graceful, cutWait) {
			report.Stuck = r.stuck()
		}
		return report, failed
	}
	report.Graceful = time.Since(started)
	if !r.handlersReturn(cutWait) {
		for _, s := range r.servers {
			report.Cut = append(report.Cut, s.inFlight.byMethod()...)
		}
		report.Stuck = r.stuck()
	}
	return report, failed
}

// endsWithStreams waits for the last call, for at most grace. Handlers of streams are notified, and their streams end
// after a part of the grace. It reports whether all calls have ended.
func (r *run) endsWithStreams(graceful <-chan struct{}, grace time.Duration) bool {
	by := time.Now().Add(grace)
	for _, s := range r.servers {
		s.ending.Announce(by)
	}
	if endsWithin(graceful, grace) {
		return true
	}
	for _, s := range r.servers {
		s.ending.End()
		s.endStreams()
	}
	return false
}

// handlersReturn waits until the handlers of ended streams have returned. It reports whether all of them return within
// bound.
func (r *run) handlersReturn(bound time.Duration) bool {
	running := func() (n int64) {
		for _, s := range r.servers {
			n += s.inFlight.total()
		}
		return n
	}
	for until := time.Now().Add(bound); running() > 0; time.Sleep(min(quietWindow, bound)) {
		if !time.Now().Before(until) {
			return false
		}
	}
	return true
}

// stuck returns the stacks of the handlers that still run.
func (r *run) stuck() (stacks []string) {
	for _, s := range r.servers {
		stacks = append(stacks, s.inFlight.stacks()...)
	}
	return stacks
}

// deregister removes the instances from discovery. An instance that cannot be removed expires with its lease.
func (r *run) deregister() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopEngineTimeout)
	defer cancel()
	var errs []error
	for _, reg := range r.registrations {
		errs = append(errs, reg.Deregister(ctx))
	}
	return errors.Join(errs...)
}

// waitForQuiet waits until no new call has arrived for quietWindow, for at most bound. It reports whether arrivals
// stopped.
func (r *run) waitForQuiet(bound time.Duration) bool {
	arrived := func() (n uint64) {
		for _, s := range r.servers {
			n += s.inFlight.arrived.Load()
		}
		return n
	}
	until := time.Now().Add(bound)
	for last := arrived(); time.Now().Before(until); {
		time.Sleep(min(quietWindow, time.Until(until)))
		now := arrived()
		if now == last {
			return true
		}
		last = now
	}
	return false
}

// sendGoAway makes every server refuse new connections and calls. It closes connections that are still in their
// handshake, because they have no calls. The channel is closed when the last call of the last server has ended.
func (r *run) sendGoAway() (ended <-chan struct{}) {
	var stopping sync.WaitGroup
	for _, s := range r.servers {
		s.goAway()
		if s.gate != nil {
			s.gate.CloseHandshakes()
		}
		stopping.Go(s.grpc.GracefulStop)
	}
	all := make(chan struct{})
	go func() {
		defer close(all)
		stopping.Wait()
	}()
	return all
}

func (r *run) logReport(report DrainReport) {
	level := slog.LevelInfo
	if len(report.Cut) > 0 {
		level = slog.LevelError
	}
	r.logger.LogAttrs(context.Background(), level, "drained",
		slog.Duration("announced", report.Announced),
		slog.Duration("quiet", report.Quiet),
		slog.Bool("arrivals_stopped", report.ArrivalsStopped),
		slog.Int("in_flight", report.InFlight),
		slog.Duration("graceful", report.Graceful),
		slog.Any("cut", report.Cut),
		slog.Int("stuck", len(report.Stuck)))
}

// endsWithin reports whether ended is closed within bound.
func endsWithin(ended <-chan struct{}, bound time.Duration) bool {
	timer := time.NewTimer(bound)
	defer timer.Stop()
	select {
	case <-ended:
		return true
	case <-timer.C:
		return false
	}
}

package framework

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

type task struct {
	name string
	run  func(context.Context) error
}

type check struct {
	name  string
	ready func(context.Context) error
}

// runningTask is background work that has been started.
type runningTask struct {
	name   string
	cancel context.CancelFunc
	ended  chan struct{}
}

// startTask starts background work. If the work ends early with an error, fail is called with the error.
func startTask(t task, logger *slog.Logger, fail func(error)) *runningTask {
	ctx, cancel := context.WithCancel(context.Background())
	running := &runningTask{t.name, cancel, make(chan struct{})}
	go guard(logger, fmt.Sprintf("background work %q", t.name), func() error { return t.run(ctx) }, func(err error) {
		defer close(running.ended)
		if err != nil && (ctx.Err() == nil || isPanic(err)) {
			fail(fmt.Errorf("background work %q: %w", t.name, err))
		}
	})
	return running
}

// panicError is a panic or runtime.Goexit in code of the program that runs on a goroutine of the App.
type panicError struct{ value any }

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

func isPanic(err error) bool {
	_, ok := errors.AsType[*panicError](err)
	return ok
}

// guard runs code of the program on a goroutine of the App, and calls done with its error. A panic is an error, and is
// logged with its stack.
func guard(logger *slog.Logger, what string, run func() error, done func(error)) {
	var err error = &panicError{"runtime.Goexit was called"}
	returned := false
	defer func() {
		if !returned {
			if value := recover(); value != nil {
				err = &panicError{value}
			}
			logger.Error(what+" panicked", slog.Any("error", err), slog.String("stack", string(debug.Stack())))
		}
		done(err)
	}()
	err = run()
	returned = true
}

// stopTasks ends background work, the last started first, and waits for all of it, at most for bound.
func stopTasks(tasks []*runningTask, bound time.Duration) []error {
	var errs []error
	until := time.Now().Add(bound)
	for _, t := range slices.Backward(tasks) {
		t.cancel()
		if !endsWithin(t.ended, time.Until(until)) {
			errs = append(
				errs,
				fmt.Errorf("background work %q still runs %s after the servers stopped; return when ctx is done", t.name, bound),
			)
		}
	}
	return errs
}

// checked is the last result of a readiness check.
type checked struct {
	name string
	err  error
}

// readiness runs the App's checks every second and passes the result on.
type readiness struct {
	checks []check
	logger *slog.Logger
	first  chan struct{} // closed when all checks have succeeded for the first time
	again  chan struct{} // holds one token after the result of a check has changed
	last   *atomic.Pointer[[]checked]
	stop   context.CancelFunc
	ended  sync.WaitGroup
}

func (rd *readiness) start(logger *slog.Logger, checks []check, apply func(ready bool, why error)) {
	ctx, cancel := context.WithCancel(context.Background())
	rd.logger, rd.checks, rd.first, rd.stop = logger, checks, make(chan struct{}), cancel
	rd.ended.Go(func() { rd.watch(ctx, apply) })
}

// reconsider makes the checks run at once.
func (rd *readiness) reconsider() {
	select {
	case rd.again <- struct{}{}:
	default: // a token is there already
	}
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
			return // the result cannot change
		}
		select {
		case <-ticker.C:
		case <-rd.again:
		case <-ctx.Done():
			return
		}
	}
}

func (rd *readiness) ask(ctx context.Context) error {
	var errs []error
	results := make([]checked, 0, len(rd.checks))
	for _, c := range rd.checks {
		ctx, cancel := context.WithTimeout(ctx, readinessTimeout)
		asked := make(chan error, 1)
		go guard(
			rd.logger,
			"the readiness check "+c.name,
			func() error { return c.ready(ctx) },
			func(err error) { asked <- err },
		)
		err := <-asked
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.name, err))
		}
		results = append(results, checked{c.name, err})
		cancel()
	}
	if ctx.Err() == nil { // the end of the App is no result of a check
		rd.last.Store(&results)
	}
	return errors.Join(errs...)
}

// end stops the checks and waits for a running check, at most for the time that one check may take.
func (rd *readiness) end() error {
	if rd.stop == nil {
		return nil
	}
	rd.stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		rd.ended.Wait()
	}()
	if !endsWithin(ended, endTimeout) {
		return fmt.Errorf(
			"a readiness check still runs %s after its context ended; return when ctx is done",
			endTimeout,
		)
	}
	return nil
}

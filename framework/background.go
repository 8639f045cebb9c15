package framework

import (
	"context"
	"fmt"
	"slices"
	"time"
)

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

// stopTasks ends background work, the last started first, and waits for all of it, at most for bound.
func stopTasks(tasks []*runningTask, bound time.Duration) []error {
	var errs []error
	until := time.Now().Add(bound)
	for _, t := range slices.Backward(tasks) {
		t.cancel()
		if !endsWithin(t.ended, time.Until(until)) {
			errs = append(errs, fmt.Errorf("background work %q still runs %s after the servers stopped; return when ctx is done", t.name, bound))
		}
	}
	return errs
}

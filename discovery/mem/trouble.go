package mem

import (
	"context"
	"time"
)

// silence is how long an engine may take to answer before a watch fails.
const silence = time.Second

// SetFrozen makes the engine accept every request and answer none, like a stopped process. SetFrozen(false) ends this.
// While it is frozen, watches fail after a second and leases cannot be renewed.
func (e *Engine) SetFrozen(frozen bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case frozen && e.resumed == nil:
		e.resumed = make(chan struct{})
		e.renewable(false)
		for w := range e.watchers {
			w.doubt = time.AfterFunc(silence, func() { e.fail(w, ErrSilent) })
		}
	case !frozen && e.resumed != nil:
		close(e.resumed)
		e.resumed = nil
		e.renewable(true)
		for w := range e.watchers {
			if w.doubt != nil {
				w.doubt.Stop()
			}
		}
	}
}

// SetDelay delays every answer of the engine. Zero ends the delay.
func (e *Engine) SetDelay(delay time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.delay = delay
}

// fail ends one watch.
func (e *Engine) fail(w *watcher, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failWatchers(err, func(other *watcher) bool { return other == w })
}

// answer waits until the engine answers.
func (c *client) answer(ctx context.Context) error {
	for {
		c.engine.mu.Lock()
		resumed, delay := c.engine.resumed, c.engine.delay
		c.engine.mu.Unlock()
		if resumed == nil {
			return c.wait(ctx, delay)
		}
		select {
		case <-resumed:
		case <-c.done:
			return ErrClosed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// answerSoon is like answer with a time limit, so that a watch notices a silent engine.
func (c *client) answerSoon(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, silence, ErrSilent)
	defer cancel()
	return c.answer(ctx)
}

func (c *client) wait(ctx context.Context, delay time.Duration) error {
	if delay == 0 {
		return nil
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-c.done:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

package mem

import (
	"context"
	"time"
)

// silence is for how long a living engine can be silent.
const silence = time.Second

// SetFrozen makes the engine accept everything and answer nothing, as a stopped process does, or ends that. Watches fail
// after a second of it, and leases cannot be renewed.
func (e *Engine) SetFrozen(frozen bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case frozen && e.thawed == nil:
		e.thawed = make(chan struct{})
		e.renewable(false)
		for w := range e.watchers {
			w.doubt = time.AfterFunc(silence, func() { e.fail(w, ErrSilent) })
		}
	case !frozen && e.thawed != nil:
		close(e.thawed)
		e.thawed = nil
		e.renewable(true)
		for w := range e.watchers {
			if w.doubt != nil {
				w.doubt.Stop()
			}
		}
	}
}

// SetDelay makes every answer of the engine come that much later. Zero ends that.
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

// answer waits as long as an answer takes.
func (c *client) answer(ctx context.Context) error {
	for {
		c.engine.mu.Lock()
		thawed, delay := c.engine.thawed, c.engine.delay
		c.engine.mu.Unlock()
		if thawed == nil {
			return c.wait(ctx, delay)
		}
		select {
		case <-thawed:
		case <-c.done:
			return ErrClosed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// answerSoon is answer for a watch, which has to notice that nothing comes.
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

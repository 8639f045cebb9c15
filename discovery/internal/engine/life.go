// Package engine has the common parts of drivers for remote engines: configuration by URL, start and end, and the
// renewal of leases.
package engine

import (
	"context"
	"sync"
)

// Life is the lifetime of a driver. When it ends, it ends all goroutines and requests that it started. Make one with
// [NewLife]. Its methods may be called from any goroutine.
type Life struct {
	ctx    context.Context // ends with End
	end    context.CancelFunc
	closed error // the cause of requests that end because the driver is closed

	mu      sync.Mutex // guards over, and running against Wait
	over    bool
	running sync.WaitGroup
}

// NewLife starts a life. Closed is the cause in the contexts that end with the life.
func NewLife(closed error) *Life {
	l := &Life{closed: closed}
	l.ctx, l.end = context.WithCancel(context.Background())
	return l
}

// Context returns a context that ends with the life.
func (l *Life) Context() context.Context { return l.ctx }

// Over reports whether the life has ended.
func (l *Life) Over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over
}

// Start runs f in a goroutine unless the life has ended, and reports whether it did. F must return soon after Context
// has ended.
func (l *Life) Start(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return false
	}
	l.running.Go(f)
	return true
}

// Request returns a context for requests, which ends with ctx and with the life.
func (l *Life) Request(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(l.ctx, func() { cancel(l.closed) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// End ends the life and waits for the goroutines that it started. It reports whether this was the first call.
func (l *Life) End() bool {
	l.mu.Lock()
	first := !l.over
	l.over = true
	l.mu.Unlock()
	l.end()
	l.running.Wait()
	return first
}

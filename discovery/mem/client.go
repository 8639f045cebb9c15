package mem

import (
	"context"
	"sync"
	"time"

	"github.com/parley-rpc/parley/discovery/driver"
)

// client is the connection of one process to the engine. The engine's lock guards it.
type client struct {
	engine *Engine
	closed bool
	done   chan struct{} // closed with the client
}

var _ driver.Driver = (*client)(nil)

func (c *client) String() string { return "mem" }

// ready reports whether the client can reach the engine. The caller holds the lock.
func (c *client) ready(ctx context.Context) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case c.closed:
		return ErrClosed
	case c.engine.down:
		return ErrDown
	}
	return nil
}

func (c *client) Announce(ctx context.Context, in driver.Instance, ttl time.Duration) (driver.Lease, error) {
	if err := c.answer(ctx); err != nil {
		return nil, err
	}
	c.engine.mu.Lock()
	defer c.engine.mu.Unlock()
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	l := &lease{client: c, service: in.Service, id: in.ID, ttl: ttl, lost: make(chan struct{})}
	c.engine.leases[l] = struct{}{}
	c.engine.put(in, l)
	return l, nil
}

func (c *client) Watch(ctx context.Context, service string, emit func([]driver.Instance)) error {
	w, err := c.follow(ctx, service)
	if err != nil {
		return err
	}
	defer c.unfollow(w)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.wake:
		}
		if c.failure(w) == nil {
			if err := c.answerSoon(ctx); err != nil {
				return err
			}
		}
		list, err := c.list(w)
		if err != nil {
			return err
		}
		emit(list)
	}
}

func (c *client) follow(ctx context.Context, service string) (*watcher, error) {
	c.engine.mu.Lock()
	defer c.engine.mu.Unlock()
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	w := &watcher{client: c, service: service, wake: make(chan struct{}, 1)}
	c.engine.watchers[w] = struct{}{}
	w.notify()
	return w, nil
}

func (c *client) unfollow(w *watcher) {
	c.engine.mu.Lock()
	defer c.engine.mu.Unlock()
	delete(c.engine.watchers, w)
	if w.doubt != nil {
		w.doubt.Stop()
	}
}

func (c *client) failure(w *watcher) error {
	c.engine.mu.Lock()
	defer c.engine.mu.Unlock()
	return w.err
}

func (c *client) list(w *watcher) ([]driver.Instance, error) {
	c.engine.mu.Lock()
	defer c.engine.mu.Unlock()
	if w.err != nil {
		return nil, w.err
	}
	entries := c.engine.services[w.service]
	list := make([]driver.Instance, 0, len(entries))
	for _, e := range entries {
		list = append(list, e.instance)
	}
	return list, nil
}

func (c *client) Close() error {
	c.engine.mu.Lock()
	defer c.engine.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	close(c.done)
	c.engine.failWatchers(ErrClosed, func(w *watcher) bool { return w.client == c })
	for l := range c.engine.leases {
		if l.client == c {
			l.lose()
			c.engine.expireLater(l)
		}
	}
	return nil
}

// watcher is one call of Watch. The engine's lock guards err.
type watcher struct {
	client  *client
	service string
	wake    chan struct{}
	err     error
	doubt   *time.Timer // runs until the silence of the engine is an error; nil while it answers
}

func (w *watcher) notify() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// lease is one announced instance. The engine's lock guards it.
type lease struct {
	client      *client
	service, id string
	ttl         time.Duration
	expiry      *time.Timer
	revoked     bool

	lost chan struct{}
	once sync.Once
}

func (l *lease) lose() { l.once.Do(func() { close(l.lost) }) }

func (l *lease) Lost() <-chan struct{} { return l.lost }

func (l *lease) Update(ctx context.Context, in driver.Instance) error {
	if err := l.client.answer(ctx); err != nil {
		return err
	}
	e := l.client.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := l.client.ready(ctx); err != nil {
		return err
	}
	if _, live := e.leases[l]; !live || l.revoked {
		return ErrLeaseEnded
	}
	e.put(in, l)
	return nil
}

func (l *lease) Revoke(ctx context.Context) error {
	l.stopRenewal()
	if err := l.client.answer(ctx); err != nil {
		return err
	}
	e := l.client.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, live := e.leases[l]; !live {
		return nil
	}
	if err := l.client.ready(ctx); err != nil {
		return err
	}
	e.expire(l)
	return nil
}

// stopRenewal ends the renewal of a lease.
func (l *lease) stopRenewal() {
	e := l.client.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, live := e.leases[l]; live && !l.revoked {
		l.revoked = true
		e.expireLater(l)
	}
}

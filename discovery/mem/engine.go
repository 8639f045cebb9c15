// Package mem is a discovery engine within one process. It is for programs that consist of one process, and for tests.
// It has leases, watches and history like a real engine, and a test can make it fail like a real engine.
//
//	engine := mem.New()
//	registry := discovery.New(engine.Driver())
//
// All clients of one Engine see the same instances. Engines do not share instances.
package mem

import (
	"sync"
	"time"

	"github.com/parley-rpc/parley/discovery/driver"
)

// The errors of an Engine. Match them with errors.Is.
const (
	// ErrDown means that the engine cannot be reached.
	ErrDown driver.Error = "the engine is down"
	// ErrSilent means that the engine did not answer for a second.
	ErrSilent driver.Error = "the engine is silent"
	// ErrHistoryLost means that a watch cannot continue and must list again.
	ErrHistoryLost driver.Error = "the history of changes is lost"
	// ErrClosed means that the driver was closed.
	ErrClosed driver.Error = "the driver is closed"
	// ErrLeaseEnded means that a lease was lost or revoked.
	ErrLeaseEnded driver.Error = "the lease has ended"
)

// Engine is a discovery engine in memory. Its methods may be called from any goroutine. It starts no goroutines.
type Engine struct {
	mu       sync.Mutex
	down     bool
	resumed  chan struct{} // closed at the end of a freeze; nil without one
	delay    time.Duration
	services map[string]map[string]entry
	watchers map[*watcher]struct{}
	leases   map[*lease]struct{}
}

// entry is one visible instance and its lease.
type entry struct {
	instance driver.Instance
	lease    *lease
}

// New returns an engine without instances.
func New() *Engine {
	return &Engine{
		services: make(map[string]map[string]entry),
		watchers: make(map[*watcher]struct{}),
		leases:   make(map[*lease]struct{}),
	}
}

// Driver returns a new client of the engine.
func (e *Engine) Driver() driver.Driver { return &client{engine: e, done: make(chan struct{})} }

// SetDown makes the engine unreachable, or reachable again. While it is down, watches fail and leases cannot be
// renewed. A lease is lost when its ttl passes, and its entry is gone when the engine is back.
func (e *Engine) SetDown(down bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.down == down {
		return
	}
	e.down = down
	e.renewable(!down)
	if down {
		e.failWatchers(ErrDown, func(*watcher) bool { return true })
	}
}

// renewable starts or stops the renewal of all leases. The caller holds the lock.
func (e *Engine) renewable(live bool) {
	for l := range e.leases {
		switch {
		case l.client.closed || l.revoked: // expires already
		case live:
			l.expiry.Stop()
		default:
			e.expireLater(l)
		}
	}
}

// LoseLeases ends every lease as if its ttl had passed.
func (e *Engine) LoseLeases() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for l := range e.leases {
		e.expire(l)
	}
}

// DeleteEntry removes an instance, like an operator who deletes it by mistake.
func (e *Engine) DeleteEntry(service, id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.remove(service, id)
}

// LoseHistory makes every watch fail, as the compaction of a real engine's history does.
func (e *Engine) LoseHistory() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failWatchers(ErrHistoryLost, func(*watcher) bool { return true })
}

// put stores an instance with a lease. The caller holds the lock.
func (e *Engine) put(in driver.Instance, l *lease) {
	entries := e.services[in.Service]
	if entries == nil {
		entries = make(map[string]entry)
		e.services[in.Service] = entries
	}
	entries[in.ID] = entry{in, l}
	e.changed(in.Service)
}

// remove deletes an entry. Every lease of the instance is lost. The caller holds the lock.
func (e *Engine) remove(service, id string) {
	if _, ok := e.services[service][id]; !ok {
		return
	}
	delete(e.services[service], id)
	for l := range e.leases {
		if l.service == service && l.id == id {
			e.end(l)
		}
	}
	e.changed(service)
}

// expireLater makes a lease expire once its ttl has passed without a renewal. The caller holds the lock.
func (e *Engine) expireLater(l *lease) {
	if l.expiry != nil {
		l.expiry.Stop()
	}
	l.expiry = time.AfterFunc(l.ttl, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if _, live := e.leases[l]; live {
			e.expire(l)
		}
	})
}

// expire ends a lease, and removes the entry if it still belongs to the lease. The caller holds the lock.
func (e *Engine) expire(l *lease) {
	e.end(l)
	if e.services[l.service][l.id].lease == l {
		e.remove(l.service, l.id)
	}
}

// end removes a lease from the engine and closes its Lost channel. The caller holds the lock.
func (e *Engine) end(l *lease) {
	if l.expiry != nil {
		l.expiry.Stop()
	}
	delete(e.leases, l)
	l.lose()
}

// changed wakes the watchers of a service. The caller holds the lock.
func (e *Engine) changed(service string) {
	for w := range e.watchers {
		if w.service == service {
			w.notify()
		}
	}
}

// failWatchers ends the watches that chosen selects. The caller holds the lock.
func (e *Engine) failWatchers(err error, chosen func(*watcher) bool) {
	for w := range e.watchers {
		if chosen(w) {
			w.err = err
			w.notify()
		}
	}
}

package consul

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/internal/engine"
)

// Announce registers the instance with the agent, and removes other entries of its ID there.
func (d *Driver) Announce(ctx context.Context, in driver.Instance, ttl time.Duration) (driver.Lease, error) {
	if err := in.Check(); err != nil {
		return nil, err
	}
	l := &lease{driver: d, id: "parley-" + strings.ToLower(rand.Text()), ttl: ttl, in: in, lost: make(chan struct{})}
	l.ctx, l.stop = context.WithCancel(d.life.Context())
	err := l.show(ctx, in)
	if err == nil && !d.life.Start(l.keep) {
		err = ErrClosed
	}
	if err != nil {
		l.stop() // the entry expires after its ttl
		return nil, err
	}
	return l, nil
}

// lease is one announced instance.
type lease struct {
	driver *Driver
	id     string // the ID of the service and its check, which only this lease uses
	ttl    time.Duration
	ctx    context.Context // ends with the lease
	stop   context.CancelFunc

	mu      sync.Mutex
	in      driver.Instance
	revoked bool

	lost chan struct{} // closed by keep
}

var _ driver.Lease = (*lease)(nil)

func (l *lease) Lost() <-chan struct{} { return l.lost }

func (l *lease) Update(ctx context.Context, in driver.Instance) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.revoked || l.ctx.Err() != nil {
		return ErrLeaseEnded
	}
	l.in = in
	return l.show(ctx, in)
}

func (l *lease) Revoke(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.revoked = true
	l.stop()
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return l.driver.deregister(ctx, l.id)
}

// show registers the present version of the instance. It replaces any entry with the same ID.
func (l *lease) show(ctx context.Context, in driver.Instance) error {
	r, err := registration(l.id, in, time.Now(), l.ttl)
	if err != nil {
		return err
	}
	ctx, cancel := l.driver.life.Request(ctx)
	defer cancel()
	ctx, done := context.WithTimeout(ctx, requestTimeout)
	defer done()
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	options := api.ServiceRegisterOpts{ReplaceExistingChecks: true}
	if err := l.driver.client.Agent().ServiceRegisterOpts(r, options.WithContext(ctx)); err != nil {
		return err
	}
	others, err := l.driver.entries(ctx, in)
	if err != nil {
		return err
	}
	var errs []error
	for id := range others {
		if id != l.id {
			errs = append(errs, l.driver.deregister(ctx, id))
		}
	}
	return errors.Join(errs...)
}

// entries returns the services of the agent that are entries of the same instance ID.
func (d *Driver) entries(ctx context.Context, in driver.Instance) (map[string]*api.AgentService, error) {
	return d.client.Agent().ServicesWithFilterOpts(sameID(in), new(api.QueryOptions).WithContext(ctx))
}

func (d *Driver) deregister(ctx context.Context, id string) error {
	err := d.client.Agent().ServiceDeregisterOpts(id, new(api.QueryOptions).WithContext(ctx))
	if unknown(err) {
		return nil
	}
	return err
}

// unknown reports whether err says that the agent does not have the service or check.
func unknown(err error) bool {
	var status api.StatusError
	return errors.As(err, &status) && status.Code == http.StatusNotFound
}

// keep renews the entry until the lease ends.
func (l *lease) keep() {
	defer close(l.lost)
	defer l.stop()
	engine.Keep(l.ctx, l.ttl, time.Now().Add(l.ttl), l.renew)
}

// renew reports to the agent that the instance is alive. A restarted agent may have lost the entry. If another entry
// has the same instance ID by then, that entry stays.
func (l *lease) renew(ctx context.Context) (time.Time, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	until := time.Now().Add(l.ttl)
	err := l.driver.client.Agent().UpdateTTLOpts(l.id, "", api.HealthPassing, new(api.QueryOptions).WithContext(ctx))
	if !unknown(err) {
		return until, true, err
	}
	l.mu.Lock()
	in := l.in
	l.mu.Unlock()
	others, err := l.driver.entries(ctx, in)
	return until, len(others) > 0, err
}

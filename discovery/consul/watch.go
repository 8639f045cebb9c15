package consul

import (
	"context"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/internal/engine"
)

// Watch asks for the instances of service that pass their checks, and again and again for what has changed since.
func (d *Driver) Watch(ctx context.Context, service string, emit func([]driver.Instance)) error {
	if err := driver.CheckService(service); err != nil {
		return err
	}
	ctx, cancel := d.life.Request(ctx)
	defer cancel()
	err := d.follow(ctx, service, emit)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (d *Driver) follow(ctx context.Context, service string, emit func([]driver.Instance)) error {
	var index uint64 // of what was emitted last; 0 asks without waiting
	for {
		began := time.Now()
		entries, now, err := d.query(ctx, service, index)
		if err != nil {
			return err
		}
		if now != index {
			emit(instances(service, entries))
		}
		if now < index {
			// An index that goes backwards is that of another history: waiting for a higher one could take for ever.
			now = 0
		}
		index = now
		if err := rest(ctx, engine.Around(queryGap)-time.Since(began)); err != nil {
			return err
		}
	}
}

// query asks what there is now, or what has changed since index, and returns the index of that.
func (d *Driver) query(ctx context.Context, service string, index uint64) ([]*api.ServiceEntry, uint64, error) {
	// Consul adds up to a sixteenth to the wait, so that not all queries end together.
	limit := requestTimeout
	if index > 0 {
		limit += d.wait + d.wait/16
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	// A consistent answer comes from a leader that has asked the others; another server may not have read its log yet. And
	// an agent that is asked for an order by distance asks the servers, and not its own memory, whose answers never tell
	// of a leader.
	options := &api.QueryOptions{WaitIndex: index, WaitTime: d.wait, RequireConsistent: true, Near: "_agent"}
	entries, meta, err := d.client.Health().Service(service, "", true, options.WithContext(ctx))
	switch {
	case err != nil:
		return nil, 0, err
	case !meta.KnownLeader:
		return nil, 0, ErrNoLeader
	case meta.LastIndex == 0:
		return nil, 0, ErrNoIndex
	case meta.ResultsFilteredByACLs && len(entries) == 0:
		return nil, 0, ErrFiltered
	}
	return entries, meta.LastIndex, nil
}

// rest waits, so that a service that changes all the time, or an agent that does not wait, is not asked all the time.
func rest(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

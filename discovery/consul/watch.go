package consul

import (
	"context"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/internal/engine"
)

// Watch queries the instances of service that pass their checks, and then waits for changes, query after query.
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
	var index uint64 // the index of the last emitted list; a query with 0 does not wait
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
			// A lower index belongs to another history. Waiting for a higher index could then take forever.
			now = 0
		}
		index = now
		if err := rest(ctx, engine.Around(queryGap)-time.Since(began)); err != nil {
			return err
		}
	}
}

// query returns the present list if index is 0, and otherwise the list after the next change since index. It also
// returns the index of that list.
func (d *Driver) query(ctx context.Context, service string, index uint64) ([]*api.ServiceEntry, uint64, error) {
	// Consul adds up to a sixteenth to the wait, so that the queries do not all end at the same time.
	limit := requestTimeout
	if index > 0 {
		limit += d.wait + d.wait/16
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	// A consistent answer comes from a leader that has confirmed its leadership; another server may be behind. A query
	// with an order by distance makes the agent ask the servers. Answers from its own cache do not show whether there is a
	// leader.
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

// rest waits between queries, in case the service changes all the time or the agent answers without waiting.
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

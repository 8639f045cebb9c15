package discoverytest_test

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/mem"
)

// mutant is a driver for mem with one mistake.
type mutant struct {
	name string
	// killer is a test of the suite that must fail.
	killer string
	breaks func(*broken)
}

// broken is a driver whose methods can be replaced one by one.
type broken struct {
	driver.Driver
	engine   *mem.Engine
	deleting atomic.Bool // an operator deletes entries
	announce func(context.Context, driver.Instance, time.Duration) (driver.Lease, error)
	watch    func(context.Context, string, func([]driver.Instance)) error
	close    func() error
	lease    func(*brokenLease)
}

func newBroken(engine *mem.Engine, m mutant) *broken {
	d := engine.Driver()
	b := &broken{
		Driver:   d,
		engine:   engine,
		announce: d.Announce,
		watch:    d.Watch,
		close:    d.Close,
		lease:    func(*brokenLease) {},
	}
	m.breaks(b)
	return b
}

func (b *broken) Announce(ctx context.Context, in driver.Instance, ttl time.Duration) (driver.Lease, error) {
	lease, err := b.announce(ctx, in, ttl)
	if err != nil {
		return nil, err
	}
	l := &brokenLease{Lease: lease, in: in, lost: lease.Lost(), update: lease.Update, revoke: lease.Revoke}
	b.lease(l)
	return l, nil
}

func (b *broken) Watch(ctx context.Context, service string, emit func([]driver.Instance)) error {
	return b.watch(ctx, service, emit)
}

func (b *broken) Close() error { return b.close() }

type brokenLease struct {
	driver.Lease
	in     driver.Instance
	lost   <-chan struct{}
	update func(context.Context, driver.Instance) error
	revoke func(context.Context) error
}

func (l *brokenLease) Lost() <-chan struct{} { return l.lost }

func (l *brokenLease) Update(ctx context.Context, in driver.Instance) error { return l.update(ctx, in) }

func (l *brokenLease) Revoke(ctx context.Context) error { return l.revoke(ctx) }

// emitting replaces each list that Watch emits by the lists that change returns.
func emitting(change func(service string, list []driver.Instance) [][]driver.Instance) func(*broken) {
	return func(b *broken) {
		b.watch = func(ctx context.Context, service string, emit func([]driver.Instance)) error {
			return b.Driver.Watch(ctx, service, func(list []driver.Instance) {
				for _, l := range change(service, list) {
					emit(l)
				}
			})
		}
	}
}

// announcing changes each instance before it is announced.
func announcing(change func(driver.Instance) driver.Instance) func(*broken) {
	return func(b *broken) {
		b.announce = func(ctx context.Context, in driver.Instance, ttl time.Duration) (driver.Lease, error) {
			return b.Driver.Announce(ctx, change(in), ttl)
		}
	}
}

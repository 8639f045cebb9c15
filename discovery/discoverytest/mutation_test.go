package discoverytest_test

import (
	"context"
	"slices"
	"strings"

	"github.com/parley-rpc/parley/discovery/driver"
)

type nameless struct{ driver.Driver }

func (nameless) String() string { return "" }

// listsByPrefix is a driver without a separator after the name of the service.
func listsByPrefix(b *broken) {
	others := []string{"user-admin", "users", "user"}
	b.watch = func(ctx context.Context, service string, emit func([]driver.Instance)) error {
		return b.Driver.Watch(ctx, service, func(list []driver.Instance) {
			for _, other := range others {
				if other != service && strings.HasPrefix(other, service) {
					list = append(list, listOnce(ctx, b.Driver, other)...)
				}
			}
			emit(list)
		})
	}
}

// listOnce returns the present list of a service.
func listOnce(ctx context.Context, d driver.Driver, service string) []driver.Instance {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var first []driver.Instance
	_ = d.Watch(ctx, service, func(list []driver.Instance) {
		first = list
		cancel()
	})
	return first
}

// emitsChangesAlone is a driver that emits only the changes.
func emitsChangesAlone(b *broken) {
	b.watch = func(ctx context.Context, service string, emit func([]driver.Instance)) error {
		var before []driver.Instance
		return b.Driver.Watch(ctx, service, func(list []driver.Instance) {
			fresh := slices.DeleteFunc(slices.Clone(list), func(in driver.Instance) bool {
				return slices.ContainsFunc(before, in.Equal)
			})
			before = list
			emit(fresh)
		})
	}
}

// noticesOnlyExpiry is a driver that checks the renewal of its lease but not its entry.
func noticesOnlyExpiry(b *broken) {
	b.lease = func(l *brokenLease) {
		expired := make(chan struct{})
		l.lost = expired
		go func() {
			<-l.Lease.Lost()
			if !b.deleting.Load() {
				close(expired)
			}
		}()
	}
}

// emitsFromCache is a driver that repeats its last list when the engine is down.
func emitsFromCache(b *broken) {
	var last []driver.Instance
	b.watch = func(ctx context.Context, service string, emit func([]driver.Instance)) error {
		if last != nil {
			emit(slices.Clone(last))
		}
		return b.Driver.Watch(ctx, service, func(list []driver.Instance) {
			last = list
			emit(list)
		})
	}
}

// lossOrReplacement is closed when the lease is lost, and when another client announces its ID.
func lossOrReplacement(b *broken, l *brokenLease) <-chan struct{} {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		_ = b.Driver.Watch(ctx, l.in.Service, func(list []driver.Instance) {
			if i := slices.IndexFunc(list, func(in driver.Instance) bool { return in.ID == l.in.ID }); i >= 0 &&
				!list[i].Equal(l.in) {
				cancel()
			}
		})
	}()
	return ctx.Done()
}

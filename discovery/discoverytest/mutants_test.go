package discoverytest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/mem"
)

func one(list []driver.Instance) [][]driver.Instance { return [][]driver.Instance{list} }

// mutants are the mistakes of real drivers, and the mistakes that the specification forbids.
var mutants = []mutant{
	{"forgets metadata", "RegisterVisible", announcing(func(in driver.Instance) driver.Instance {
		in.Metadata = nil
		return in
	})},
	{"forgets the second address", "RegisterVisible", announcing(func(in driver.Instance) driver.Instance {
		in.Addresses = in.Addresses[:1]
		return in
	})},
	{"has no name", "RegisterVisible", func(b *broken) { b.Driver = nameless{b.Driver} }},
	{
		"says nothing while there is nothing",
		"ColdWatchListsNothing",
		emitting(func(_ string, list []driver.Instance) [][]driver.Instance {
			if len(list) == 0 {
				return nil
			}
			return one(list)
		}),
	},
	{"lists by prefix", "PrefixIsolation", listsByPrefix},
	{"cannot hold a dot in a name", "PrefixIsolation", announcing(func(in driver.Instance) driver.Instance {
		in.Service = strings.ReplaceAll(in.Service, ".", "-")
		return in
	})},
	{"emits the changes instead of the complete list", "Deregister", emitsChangesAlone},
	{"updates nothing", "Update", func(b *broken) {
		b.lease = func(l *brokenLease) { l.update = func(context.Context, driver.Instance) error { return nil } }
	}},
	{"forgets draining in an update", "Update", func(b *broken) {
		b.lease = func(l *brokenLease) {
			l.update = func(ctx context.Context, in driver.Instance) error {
				in.Draining = false
				return l.Lease.Update(ctx, in)
			}
		}
	}},
	{"updates a revoked instance", "Deregister", func(b *broken) {
		b.lease = func(l *brokenLease) {
			l.update = func(ctx context.Context, in driver.Instance) error {
				_, err := b.Driver.Announce(ctx, in, time.Minute)
				return err
			}
		}
	}},
	{"revokes nothing and waits for the ttl", "Deregister", func(b *broken) {
		b.lease = func(l *brokenLease) { l.revoke = func(context.Context) error { return nil } }
	}},
	{"cannot revoke twice", "Deregister", func(b *broken) {
		b.lease = func(l *brokenLease) {
			var once sync.Once
			l.revoke = func(ctx context.Context) error {
				var err error = mem.ErrLeaseEnded
				once.Do(func() { err = l.Lease.Revoke(ctx) })
				return err
			}
		}
	}},
	{"revokes any entry with its ID", "LastAnnounceWins", func(b *broken) {
		b.lease = func(l *brokenLease) {
			l.revoke = func(context.Context) error {
				b.engine.DeleteEntry(l.in.Service, l.in.ID)
				return nil
			}
		}
	}},
	{"announces only an ID that is not listed", "LastAnnounceWins", func(b *broken) {
		b.announce = func(ctx context.Context, in driver.Instance, ttl time.Duration) (driver.Lease, error) {
			if slices.ContainsFunc(listOnce(ctx, b.Driver, in.Service), func(o driver.Instance) bool { return o.ID == in.ID }) {
				return nil, errors.New("the ID is taken")
			}
			return b.Driver.Announce(ctx, in, ttl)
		}
	}},
	{"never notices that a lease is lost", "LeaseLossReported", func(b *broken) {
		b.lease = func(l *brokenLease) { l.lost = make(chan struct{}) }
	}},
	{"notices only its own failure to renew", "DeletedEntryReRegisters", noticesOnlyExpiry},
	{"believes that a watch lives for ever", "OutageReportedNeverEmitted", func(b *broken) {
		b.watch = func(ctx context.Context, service string, emit func([]driver.Instance)) error {
			_ = b.Driver.Watch(ctx, service, emit)
			<-ctx.Done()
			return ctx.Err()
		}
	}},
	{"sits out the loss of history", "HistoryLossReported", func(b *broken) {
		b.watch = func(ctx context.Context, service string, emit func([]driver.Instance)) error {
			err := b.Driver.Watch(ctx, service, emit)
			if errors.Is(err, mem.ErrHistoryLost) {
				<-ctx.Done()
			}
			return err
		}
	}},
	{"takes an error for an empty list", "OutageReportedNeverEmitted", func(b *broken) {
		b.watch = func(ctx context.Context, service string, emit func([]driver.Instance)) error {
			err := b.Driver.Watch(ctx, service, emit)
			emit(nil)
			return err
		}
	}},
	{"ends a watch without an error", "OutageReportedNeverEmitted", func(b *broken) {
		b.watch = func(ctx context.Context, service string, emit func([]driver.Instance)) error {
			_ = b.Driver.Watch(ctx, service, emit)
			return nil
		}
	}},
	{"emits from its cache when the engine is down", "OutageReportedNeverEmitted", emitsFromCache},
	{"waits for the word of a frozen engine", "FrozenEngineReported", func(b *broken) {
		b.watch = func(ctx context.Context, service string, emit func([]driver.Instance)) error {
			err := b.Driver.Watch(ctx, service, emit)
			if errors.Is(err, mem.ErrSilent) {
				<-ctx.Done()
			}
			return err
		}
	}},
	{"takes the silence of a frozen engine for an empty list", "FrozenEngineReported", func(b *broken) {
		b.watch = func(ctx context.Context, service string, emit func([]driver.Instance)) error {
			err := b.Driver.Watch(ctx, service, emit)
			if errors.Is(err, mem.ErrSilent) {
				emit(nil)
			}
			return err
		}
	}},
	{"takes a slow engine for a dead one", "SlowEngineServes", func(b *broken) {
		b.watch = func(ctx context.Context, service string, emit func([]driver.Instance)) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			answered := time.AfterFunc(50*time.Millisecond, cancel)
			return b.Driver.Watch(ctx, service, func(list []driver.Instance) {
				answered.Stop()
				emit(list)
			})
		}
	}},
	{"keeps its broken connection", "WatchResumesAfterKill", func(b *broken) {
		var broken error
		b.watch = func(ctx context.Context, service string, emit func([]driver.Instance)) error {
			if broken == nil {
				broken = b.Driver.Watch(ctx, service, emit)
			}
			return broken
		}
	}},
	{"does not wake up after a freeze", "WatchResumesAfterFreeze", func(b *broken) {
		frozen := false
		b.watch = func(ctx context.Context, service string, emit func([]driver.Instance)) error {
			err := mem.ErrSilent
			if !frozen {
				frozen = errors.Is(b.Driver.Watch(ctx, service, emit), err)
			}
			return err
		}
	}},
	{"takes being replaced for a loss", "TwoRegistrarsOneID", func(b *broken) {
		b.lease = func(l *brokenLease) { l.lost = lossOrReplacement(b, l) }
	}},
	{"lets all clients connect at once when the engine is back", "HundredClientsReconnect", func(b *broken) {
		b.watch = func(ctx context.Context, service string, emit func([]driver.Instance)) error {
			for ctx.Err() == nil {
				if err := b.Driver.Watch(ctx, service, emit); !errors.Is(err, mem.ErrDown) {
					return err
				}
				time.Sleep(10 * time.Millisecond)
			}
			return ctx.Err()
		}
		b.announce = func(ctx context.Context, in driver.Instance, ttl time.Duration) (driver.Lease, error) {
			for {
				lease, err := b.Driver.Announce(ctx, in, ttl)
				if !errors.Is(err, mem.ErrDown) {
					return lease, err
				}
				time.Sleep(10 * time.Millisecond)
			}
		}
	}},
	{"ignores the context of Announce", "ContextEndsCalls", func(b *broken) {
		b.announce = func(ctx context.Context, in driver.Instance, ttl time.Duration) (driver.Lease, error) {
			return b.Driver.Announce(context.WithoutCancel(ctx), in, ttl)
		}
	}},
	{"waits for an engine that refuses connections", "EngineDownAtStart", func(b *broken) {
		b.watch = func(ctx context.Context, service string, emit func([]driver.Instance)) error {
			err := b.Driver.Watch(ctx, service, emit)
			if errors.Is(err, mem.ErrDown) {
				waiting, cancel := context.WithTimeout(ctx, 4*time.Second)
				<-waiting.Done()
				cancel()
			}
			return err
		}
	}},
	{"blocks in Announce until the engine is back", "EngineDownAtStart", func(b *broken) {
		b.announce = func(ctx context.Context, in driver.Instance, ttl time.Duration) (driver.Lease, error) {
			lease, err := b.Driver.Announce(ctx, in, ttl)
			if errors.Is(err, mem.ErrDown) {
				time.Sleep(time.Minute)
			}
			return lease, err
		}
	}},
	{"ignores the context of Watch", "ContextEndsCalls", func(b *broken) {
		b.watch = func(ctx context.Context, service string, emit func([]driver.Instance)) error {
			return b.Driver.Watch(context.WithoutCancel(ctx), service, emit)
		}
	}},
	{"closes nothing", "CloseEndsEverything", func(b *broken) { b.close = func() error { return nil } }},
	{"can be closed but once", "CloseEndsEverything", func(b *broken) {
		var once sync.Once
		b.close = func() error {
			var err error = mem.ErrClosed
			once.Do(func() { err = b.Driver.Close() })
			return err
		}
	}},
	{"leaves a goroutine behind each lease", "CloseLeaksNothing", func(b *broken) {
		b.lease = func(*brokenLease) { go func() { time.Sleep(time.Hour) }() }
	}},
	{
		"reads one page of the list",
		"ThousandInstances",
		emitting(func(_ string, list []driver.Instance) [][]driver.Instance {
			slices.SortFunc(list, func(a, b driver.Instance) int { return strings.Compare(a.ID, b.ID) })
			return one(list[:min(len(list), 500)])
		}),
	},
}

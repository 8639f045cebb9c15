package discovery

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/parley-rpc/parley/discovery/driver"
)

// run announces the instance until ctx ends. Until it returns, no other goroutine makes requests for this instance.
func (reg *Registration) run(ctx context.Context) {
	defer reg.finish()
	retry := pace{config: &reg.registry.config, spread: rejoinSpread}
	for {
		lease, err := reg.announce(ctx)
		if errors.Is(err, driver.ErrNoRegistration) {
			reg.leaveToPlatform()
			return
		}
		if err == nil {
			began := time.Now()
			err = reg.keep(ctx, lease)
			retry.survived(time.Since(began))
		}
		if ctx.Err() != nil {
			return
		}
		reg.fail(err)
		if !retry.wait(ctx) {
			return
		}
	}
}

// announce makes the wanted instance visible once. It then revokes the previous lease, so that nothing renews that
// lease any more. The entry is not removed, because it belongs to the new lease.
func (reg *Registration) announce(ctx context.Context) (driver.Lease, error) {
	reg.mu.Lock()
	in, version, former := reg.want, reg.wantVersion, reg.lease
	reg.mu.Unlock()

	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	lease, err := reg.registry.driver.Announce(call, in, reg.registry.config.ttl)
	if err != nil {
		return nil, reg.fault("announce", err)
	}
	reg.succeed(lease, version)
	reg.count()
	reg.logger().Info("registered in discovery")
	if former != nil && !isClosed(former.Lost()) {
		if err := former.Revoke(call); err != nil {
			reg.logger().Debug("a previous lease could not be revoked", slog.Any("error", err))
		}
	}
	return lease, nil
}

// keep passes changes of the wanted instance to the engine until the lease is lost, the engine refuses a change, or ctx
// ends.
func (reg *Registration) keep(ctx context.Context, lease driver.Lease) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-lease.Lost():
			return reg.fault("announce", ErrLeaseLost)
		case <-reg.changed:
		}
		if err := reg.refresh(ctx, lease); err != nil {
			return err
		}
	}
}

func (reg *Registration) refresh(ctx context.Context, lease driver.Lease) error {
	reg.mu.Lock()
	in, version, current := reg.want, reg.wantVersion, reg.wantVersion == reg.haveVersion
	reg.mu.Unlock()
	if current {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := lease.Update(ctx, in); err != nil {
		return reg.fault("update", err)
	}
	reg.succeed(lease, version)
	return nil
}

// revoke removes the entry, if there is one. It runs only after run has ended.
func (reg *Registration) revoke(ctx context.Context) error {
	reg.mu.Lock()
	lease := reg.lease
	reg.mu.Unlock()
	if lease == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := lease.Revoke(ctx); err != nil {
		return reg.fault("revoke", err)
	}
	reg.mu.Lock()
	defer reg.mu.Unlock()
	reg.lease = nil
	return nil
}

// succeed records that the engine shows version under lease. After Deregister it records only the lease, so that the
// lease can be revoked.
func (reg *Registration) succeed(lease driver.Lease, version uint64) {
	reg.mu.Lock()
	defer reg.mu.Unlock()
	reg.lease = lease
	if reg.deregistered {
		return
	}
	reg.registered, reg.haveVersion, reg.err = true, version, nil
	reg.move()
}

// count counts an announcement.
func (reg *Registration) count() {
	reg.mu.Lock()
	defer reg.mu.Unlock()
	reg.announced++
}

// fail records why the instance is not registered.
func (reg *Registration) fail(err error) {
	reg.mu.Lock()
	defer reg.mu.Unlock()
	if reg.deregistered {
		return
	}
	if reg.registered || reg.err == nil {
		reg.logger().Warn("not registered in discovery; trying again", slog.Any("error", err))
	}
	reg.registered, reg.err = false, err
	reg.move()
}

// leaveToPlatform records that the platform registers instances.
func (reg *Registration) leaveToPlatform() {
	reg.mu.Lock()
	defer reg.mu.Unlock()
	if !reg.deregistered {
		reg.elsewhere = true
		reg.move()
	}
}

// finish records that the instance is no longer announced.
func (reg *Registration) finish() {
	reg.mu.Lock()
	defer reg.mu.Unlock()
	if reg.err == nil && !reg.elsewhere {
		reg.registered, reg.err = false, reg.fault("announce", ErrClosed)
	}
	close(reg.ended)
	reg.move()
}

// move wakes the callers that wait for a change of the registration. The caller holds the lock.
func (reg *Registration) move() {
	close(reg.moved)
	reg.moved = make(chan struct{})
}

func (reg *Registration) logger() *slog.Logger {
	return reg.registry.config.logger.With(
		slog.String("service", reg.service), slog.String("id", reg.id), slog.String("driver", reg.registry.String()))
}

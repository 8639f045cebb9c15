package discovery

import (
	"context"
	"fmt"
	"sync"

	"github.com/parley-rpc/parley/discovery/driver"
)

// Registration keeps one instance of this process announced until [Registration.Deregister]. It tries until the engine
// accepts the instance, and announces it again when the engine has lost it. Its methods may be called from any
// goroutine.
type Registration struct {
	registry *Registry
	service  string
	id       string
	stop     context.CancelFunc
	ended    chan struct{} // closed when the instance is no longer announced
	changed  chan struct{} // holds one token while the wanted instance may differ from the announced one

	mu           sync.Mutex
	want         Instance
	wantVersion  uint64
	haveVersion  uint64 // the version that the engine shows, or showed last
	lease        driver.Lease
	registered   bool
	announced    int  // how often the engine accepted the instance
	elsewhere    bool // the platform registers instances
	deregistered bool
	err          error
	moved        chan struct{} // closed and replaced whenever one of the above changes
}

// Register announces in and keeps it announced. If in has no ID, its first address becomes its ID.
//
// It returns when the engine has accepted the instance, the driver leaves registration to the platform, the instance is
// invalid, the Registry is closed, or ctx has ended. Ctx limits only this wait: the Registration keeps trying after ctx
// has ended.
func (r *Registry) Register(ctx context.Context, in Instance) *Registration {
	in = in.Clone()
	if in.ID == "" && len(in.Addresses) > 0 {
		in.ID = in.Addresses[0]
	}
	reg := &Registration{
		registry:    r,
		service:     in.Service,
		id:          in.ID,
		ended:       make(chan struct{}),
		changed:     make(chan struct{}, 1),
		want:        in,
		wantVersion: 1,
		moved:       make(chan struct{}),
	}
	if err := in.Check(); err != nil {
		return reg.refuse(err)
	}
	if !r.launch(reg) {
		return reg.refuse(ErrClosed)
	}
	reg.settle(ctx)
	return reg
}

// launch starts announcing. It returns false when the Registry is closed.
func (r *Registry) launch(reg *Registration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	var ctx context.Context
	ctx, reg.stop = context.WithCancel(r.ctx)
	r.registrations[reg] = struct{}{}
	r.running.Go(func() { reg.run(ctx) })
	return true
}

// refuse makes a Registration that announces nothing and whose Err returns err.
func (reg *Registration) refuse(err error) *Registration {
	reg.stop = func() {}
	reg.err = reg.fault("announce", err)
	close(reg.ended)
	return reg
}

// settle waits until the instance is registered, its registration has failed for good, or ctx has ended.
func (reg *Registration) settle(ctx context.Context) {
	for {
		reg.mu.Lock()
		moved, done := reg.moved, reg.registered || reg.elsewhere
		reg.mu.Unlock()
		if done {
			return
		}
		select {
		case <-moved:
		case <-reg.ended:
			return
		case <-ctx.Done():
			return
		}
	}
}

// Registered reports whether the instance is announced, or the platform registers it. A service that is not registered
// can still get calls from clients that already know it.
func (reg *Registration) Registered() bool {
	reg.mu.Lock()
	defer reg.mu.Unlock()
	return reg.registered || reg.elsewhere
}

// Err returns why the instance is not registered: the last failure, [ErrLeaseLost], [ErrDeregistered], [ErrClosed], or
// the mistake in the instance. It is nil while the instance is registered and before the first attempt has ended.
func (reg *Registration) Err() error {
	reg.mu.Lock()
	defer reg.mu.Unlock()
	return reg.err
}

// Update calls change with the instance and announces the result. Change must not alter the ID or the service.
//
// It returns nil when the engine shows the change. It returns an error if the instance is not registered, if the engine
// refuses the change, or if ctx ends. In these three cases the change is kept and is part of the next announcement. If
// the change makes the instance invalid, Update returns an error and discards the change.
func (reg *Registration) Update(ctx context.Context, change func(*Instance)) error {
	version, err := reg.alter(change)
	if err != nil {
		return err
	}
	for {
		reg.mu.Lock()
		moved, shown, err := reg.moved, reg.elsewhere || reg.haveVersion >= version, reg.err
		reg.mu.Unlock()
		switch {
		case err != nil:
			return err
		case shown:
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return reg.fault("update", ctx.Err())
		}
	}
}

// alter changes the wanted instance and returns its version.
func (reg *Registration) alter(change func(*Instance)) (uint64, error) {
	reg.mu.Lock()
	defer reg.mu.Unlock()
	if reg.deregistered || !reg.alive() {
		return 0, reg.err
	}
	in := reg.want.Clone()
	change(&in)
	in = in.Clone() // change may keep and modify the values that it set
	if in.ID != reg.id || in.Service != reg.service {
		return 0, reg.fault(
			"update",
			fmt.Errorf("the ID and the service of instance %q cannot change; deregister it and register another", reg.id),
		)
	}
	if err := in.Check(); err != nil {
		return 0, reg.fault("update", err)
	}
	if !in.Equal(reg.want) {
		reg.want = in
		reg.wantVersion++
		select {
		case reg.changed <- struct{}{}:
		default:
		}
	}
	return reg.wantVersion, nil
}

// Deregister ends the registration and removes the instance from the engine at once. If the engine cannot be reached,
// it returns the error, the entry expires with its lease, and Deregister may be called again. Otherwise it returns nil,
// even if it is called again or the instance was never announced.
func (reg *Registration) Deregister(ctx context.Context) error {
	reg.mu.Lock()
	if !reg.deregistered && reg.alive() {
		reg.deregistered, reg.registered, reg.elsewhere = true, false, false
		reg.err = reg.fault("announce", ErrDeregistered)
		reg.move()
	}
	reg.mu.Unlock()
	reg.stop()
	select {
	case <-reg.ended:
	case <-ctx.Done():
		return reg.fault("revoke", ctx.Err())
	}
	if err := reg.revoke(ctx); err != nil {
		return err
	}
	reg.registry.mu.Lock()
	defer reg.registry.mu.Unlock()
	delete(reg.registry.registrations, reg)
	return nil
}

// alive reports whether the instance is or will be announced, by this Registration or by the platform. The caller holds
// the lock.
func (reg *Registration) alive() bool { return reg.elsewhere || !isClosed(reg.ended) }

func (reg *Registration) snapshot() RegistrationSnapshot {
	reg.mu.Lock()
	defer reg.mu.Unlock()
	return RegistrationSnapshot{
		Instance:   reg.want.Clone(),
		Registered: reg.registered || reg.elsewhere,
		Err:        reg.err,
		Announced:  reg.announced,
	}
}

func (reg *Registration) fault(op string, err error) error {
	return reg.registry.fault(op, reg.service, err)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

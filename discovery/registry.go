package discovery

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/parley-rpc/parley/discovery/driver"
)

// Registry finds and announces instances through one driver. A process should make one with [New] and share it. Its
// methods may be called from any goroutine.
type Registry struct {
	driver driver.Driver
	config config
	memory *memory // nil without a file

	ctx     context.Context // ends with the Registry
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu            sync.Mutex
	closed        bool
	watches       map[string]*watch
	registrations map[*Registration]struct{}

	closing  sync.Once
	closeErr error
}

// New returns a Registry that uses d. [Registry.Close] closes d. New does not connect to the engine.
func New(d driver.Driver, opts ...Option) *Registry {
	if d == nil {
		d = noDriver{}
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &Registry{
		driver:        d,
		config:        configure(opts),
		ctx:           ctx,
		cancel:        cancel,
		watches:       make(map[string]*watch),
		registrations: make(map[*Registration]struct{}),
	}
	if r.config.memory != "" {
		r.memory = newMemory(r.config.memory, d.String(), r.config.logger)
	}
	return r
}

// String returns the name of the engine and its address.
func (r *Registry) String() string { return r.driver.String() }

// Check returns every mistake in the options, joined with the error for a missing driver, or nil. In place of an
// invalid option the Registry uses the default.
func (r *Registry) Check() error {
	if r.driver == (noDriver{}) {
		return errors.Join(r.config.err, errNoDriver)
	}
	return r.config.err
}

// Close revokes every registration within two seconds, ends every watch and subscription, waits for their goroutines,
// writes the file of [WithLastKnownGood], and closes the driver. It returns all errors, joined. Further calls return
// the same error.
func (r *Registry) Close() error {
	r.closing.Do(func() { r.closeErr = r.end() })
	return r.closeErr
}

func (r *Registry) end() error {
	r.mu.Lock()
	r.closed = true
	left := make([]*Registration, 0, len(r.registrations))
	for reg := range r.registrations {
		left = append(left, reg)
	}
	for _, w := range r.watches {
		if w.linger != nil {
			w.linger.Stop()
		}
	}
	r.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	errs := make([]error, len(left))
	var revoking sync.WaitGroup
	for i, reg := range left {
		revoking.Go(func() { errs[i] = reg.Deregister(ctx) })
	}
	revoking.Wait()

	r.cancel()
	r.running.Wait()
	return errors.Join(append(errs, r.memory.close(), r.driver.Close())...)
}

// fault adds the engine and the operation to an error.
func (r *Registry) fault(op, service string, err error) error {
	return &Error{Driver: r.driver.String(), Op: op, Service: service, Err: err}
}

var errNoDriver = errors.New("discovery: the driver is missing; pass one to New, such as mem.New().Driver()")

// noDriver is used if the driver is missing.
type noDriver struct{}

func (noDriver) String() string { return "no driver" }

func (noDriver) Announce(context.Context, Instance, time.Duration) (driver.Lease, error) {
	return nil, errNoDriver
}

func (noDriver) Watch(context.Context, string, func([]Instance)) error { return errNoDriver }

func (noDriver) Close() error { return nil }

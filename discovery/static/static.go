// Package static finds services at fixed addresses from the configuration.
package static

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/parley-rpc/parley/discovery/driver"
)

// errClosed is the error of a watch of a closed driver.
var errClosed = errors.New("the driver is closed")

// Driver lists fixed instances. It is always up and does not register instances. Its methods may be called from any
// goroutine.
type Driver struct {
	mu       sync.Mutex
	closed   bool
	services map[string][]driver.Instance
	changed  chan struct{} // closed and replaced by each change
}

var _ driver.Driver = (*Driver)(nil)

// New returns a driver that finds each service at its addresses, each host:port. Every address is one instance, and the
// address is its ID. New returns all mistakes, joined: invalid service names, invalid addresses, and addresses that are
// listed twice.
func New(services map[string][]string) (*Driver, error) {
	d := &Driver{changed: make(chan struct{})}
	if err := d.Replace(services); err != nil {
		return nil, err
	}
	return d, nil
}

// NewInstances is like [New], for instances with a zone, a weight or metadata. If an instance has no ID, its first
// address becomes its ID.
func NewInstances(instances ...driver.Instance) (*Driver, error) {
	d := &Driver{changed: make(chan struct{})}
	if err := d.ReplaceInstances(instances...); err != nil {
		return nil, err
	}
	return d, nil
}

// Replace replaces all addresses, and every Watch emits the new list. If it returns an error, it has not changed any
// address.
func (d *Driver) Replace(services map[string][]string) error {
	var instances []driver.Instance
	for _, service := range slices.Sorted(maps.Keys(services)) {
		for _, addr := range services[service] {
			instances = append(instances, driver.Instance{Service: service, Addresses: []string{addr}})
		}
	}
	return d.ReplaceInstances(instances...)
}

// ReplaceInstances is like [Driver.Replace], for instances with a zone, a weight or metadata.
func (d *Driver) ReplaceInstances(instances ...driver.Instance) error {
	var errs []error
	services := make(map[string][]driver.Instance)
	seen := make(map[[2]string]bool)
	for _, in := range instances {
		in = in.Clone()
		if in.ID == "" && len(in.Addresses) > 0 {
			in.ID = in.Addresses[0]
		}
		if err := check(in); err != nil {
			errs = append(errs, err)
			continue
		}
		key := [2]string{in.Service, in.ID}
		if seen[key] {
			errs = append(errs, fmt.Errorf("static: service %q: instance %q is listed twice; list it once", in.Service, in.ID))
			continue
		}
		seen[key] = true
		services[in.Service] = append(services[in.Service], in)
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.services = services
	d.announceChange()
	return nil
}

func check(in driver.Instance) error {
	for _, addr := range in.Addresses {
		if host, port, err := net.SplitHostPort(addr); err != nil || host == "" || port == "" {
			return fmt.Errorf(
				"static: service %q: address %q: want host:port, such as 10.0.0.7:8443 or [2001:db8::7]:8443",
				in.Service,
				addr,
			)
		}
	}
	if err := in.Check(); err != nil {
		return fmt.Errorf("static: %w", err)
	}
	return nil
}

// announceChange wakes every Watch. The caller holds the lock.
func (d *Driver) announceChange() {
	close(d.changed)
	d.changed = make(chan struct{})
}

// String returns "static".
func (d *Driver) String() string { return "static" }

// Announce returns [driver.ErrNoRegistration], because the configuration lists the instances.
func (d *Driver) Announce(context.Context, driver.Instance, time.Duration) (driver.Lease, error) {
	return nil, driver.ErrNoRegistration
}

// Watch emits the instances of service, possibly none, at once and after each Replace.
func (d *Driver) Watch(ctx context.Context, service string, emit func([]driver.Instance)) error {
	for {
		d.mu.Lock()
		list, changed, closed := slices.Clone(d.services[service]), d.changed, d.closed
		d.mu.Unlock()
		if closed {
			return errClosed
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		emit(list)
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Close ends every Watch.
func (d *Driver) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.closed = true
		d.announceChange()
	}
	return nil
}

// Package dns finds the instances of services in DNS. It uses address records, or SRV records if ports are not fixed.
// It looks names up at intervals, so that it finds new instances even if no connection fails.
package dns

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"github.com/parley-rpc/parley/discovery/driver"
)

// errClosed is the error of a watch of a closed driver.
var errClosed = errors.New("the driver is closed")

// Lookup queries DNS; *net.Resolver implements it. For a name that does not exist it returns a *net.DNSError with
// IsNotFound. A service without a name has no instances.
type Lookup interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
}

// Driver looks services up in DNS. It does not register instances. Its methods may be called from any goroutine.
//
// An instance has addresses and, with SRV records, a weight. Of SRV records the driver lists only the targets with the
// best priority.
type Driver struct {
	pattern  query
	names    map[string]query
	lookup   Lookup
	interval time.Duration
	random   func() float64

	life context.Context // ends with Close
	end  context.CancelFunc
}

var _ driver.Driver = (*Driver)(nil)

// New returns a driver that looks services up with a pattern. In the pattern, {service} is replaced by the name of the
// service:
//
//	{service}.prod.svc.cluster.local:8443        address records, and the port of every instance
//	_grpc._tcp.{service}.prod.svc.cluster.local  SRV records
//
// The default pattern is "{service}:443". New returns all mistakes in the pattern and the options, joined.
func New(pattern string, opts ...Option) (*Driver, error) {
	if pattern == "" {
		pattern = defaultPattern
	}
	d := &Driver{
		names:    make(map[string]query),
		lookup:   net.DefaultResolver,
		interval: defaultInterval,
		random:   rand.Float64,
	}
	d.life, d.end = context.WithCancel(context.Background())
	var err error
	if d.pattern, err = parseQuery(pattern); err != nil {
		err = fmt.Errorf("dns: pattern %q: %w", pattern, err)
	}
	errs := []error{err}
	for _, o := range opts {
		errs = append(errs, o.apply(d))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return d, nil
}

// String returns "dns".
func (d *Driver) String() string { return "dns" }

// Announce returns [driver.ErrNoRegistration], because the operator of the DNS zone registers instances.
func (d *Driver) Announce(context.Context, driver.Instance, time.Duration) (driver.Lease, error) {
	return nil, driver.ErrNoRegistration
}

// Watch looks service up at once and then at intervals, until a lookup fails or ctx ends.
func (d *Driver) Watch(ctx context.Context, service string, emit func([]driver.Instance)) error {
	if err := driver.CheckService(service); err != nil {
		return err
	}
	name, ok := d.names[service]
	if !ok {
		name = d.pattern.of(service)
	}
	for {
		list, err := d.resolve(ctx, service, name)
		if err != nil {
			return err
		}
		emit(list)
		if err := d.pause(ctx); err != nil {
			return err
		}
	}
}

// pause waits for the next lookup.
func (d *Driver) pause(ctx context.Context) error {
	factor := 1 - jitter + 2*jitter*d.random()
	timer := time.NewTimer(time.Duration(factor * float64(d.interval)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-d.life.Done():
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close ends every Watch.
func (d *Driver) Close() error {
	d.end()
	return nil
}

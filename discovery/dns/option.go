package dns

import (
	"errors"
	"fmt"
	"time"

	"github.com/parley-rpc/parley/discovery/driver"
)

// Option configures a [Driver]. Its String method returns the Go expression that made it.
type Option interface {
	fmt.Stringer
	apply(*Driver) error
}

type option struct {
	text string
	set  func(*Driver) error
}

func (o option) String() string { return "dns." + o.text }

func (o option) apply(d *Driver) error {
	if err := o.set(d); err != nil {
		return fmt.Errorf("%s: %w", o, err)
	}
	return nil
}

// WithName sets the name under which one service is looked up. Name has the form of the pattern of [New].
func WithName(service, name string) Option {
	return option{fmt.Sprintf("WithName(%q, %q)", service, name), func(d *Driver) error {
		if err := driver.CheckService(service); err != nil {
			return err
		}
		q, err := parseQuery(name)
		d.names[service] = q.of(service)
		return err
	}}
}

// WithInterval sets the mean time between two lookups of a name. The time varies at random by a tenth. The default is
// 10s. It must be positive.
func WithInterval(interval time.Duration) Option {
	return option{fmt.Sprintf("WithInterval(%v)", interval), func(d *Driver) error {
		if interval <= 0 {
			return errors.New("want more than 0s")
		}
		d.interval = interval
		return nil
	}}
}

// WithLookup sets the resolver that queries DNS. The default is net.DefaultResolver.
func WithLookup(lookup Lookup) Option {
	return option{fmt.Sprintf("WithLookup(%T)", lookup), func(d *Driver) error {
		if lookup == nil {
			return errors.New("want a Lookup, such as a *net.Resolver")
		}
		d.lookup = lookup
		return nil
	}}
}

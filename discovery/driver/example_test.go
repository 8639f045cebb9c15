package driver_test

import (
	"context"
	"fmt"
	"time"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/driver"
)

// local is a complete driver: every service has one instance on this machine.
type local struct{ closed context.Context }

func (local) String() string { return "local" }

func (local) Announce(context.Context, driver.Instance, time.Duration) (driver.Lease, error) {
	return nil, driver.ErrNoRegistration
}

func (l local) Watch(ctx context.Context, service string, emit func([]driver.Instance)) error {
	emit([]driver.Instance{{ID: "local", Service: service, Addresses: []string{"127.0.0.1:8443"}}})
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-l.closed.Done():
		return l.closed.Err()
	}
}

func (local) Close() error { return nil }

func ExampleDriver() {
	closed, end := context.WithCancel(context.Background())
	defer end()
	registry := discovery.New(local{closed})
	defer registry.Close()

	states := make(chan discovery.State, 1)
	cancel := registry.Subscribe("payments", func(s discovery.State) { states <- s })
	defer cancel()
	for _, in := range (<-states).Instances {
		fmt.Println(in.ID, in.Addresses)
	}
	// Output: local [127.0.0.1:8443]
}

func ExampleInstance_Check() {
	fmt.Println(driver.Instance{ID: "a", Service: "payments"}.Check())
	// Output: instance "a" of "payments": it has no address, or an empty one; set the host:port at which clients reach it
}

package discovery_test

import (
	"context"
	"fmt"
	"time"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/mem"
)

func Example() {
	registry := discovery.New(mem.New().Driver())
	defer registry.Close()

	self := registry.Register(context.Background(), discovery.Instance{
		Service: "payments", Addresses: []string{"10.0.0.7:8443"}, Zone: "b",
	})
	fmt.Println("registered:", self.Registered())

	states := make(chan discovery.State, 1)
	cancel := registry.Subscribe("payments", func(s discovery.State) { states <- s })
	defer cancel()
	for _, in := range (<-states).Instances {
		fmt.Println(in.ID, "in zone", in.Zone)
	}
	// Output:
	// registered: true
	// 10.0.0.7:8443 in zone b
}

// During an outage of the engine, subscribers keep the known instances and get the error.
func ExampleRegistry_Subscribe() {
	engine := mem.New()
	registry := discovery.New(engine.Driver())
	defer registry.Close()
	registry.Register(context.Background(), discovery.Instance{Service: "payments", Addresses: []string{"10.0.0.7:8443"}})

	states := make(chan discovery.State, 10)
	cancel := registry.Subscribe("payments", func(s discovery.State) { states <- s })
	defer cancel()
	fmt.Println("instances:", len((<-states).Instances))

	engine.SetDown(true)
	s := <-states
	fmt.Println("instances:", len(s.Instances))
	fmt.Println(s.Err)
	engine.SetDown(false)
	// Output:
	// instances: 1
	// instances: 1
	// discovery: mem: find "payments": the engine is down
}

// A server that is about to stop says so first, and leaves when its clients have heard.
func ExampleRegistration_Update() {
	registry := discovery.New(mem.New().Driver())
	defer registry.Close()
	self := registry.Register(
		context.Background(),
		discovery.Instance{Service: "payments", Addresses: []string{"10.0.0.7:8443"}},
	)

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	fmt.Println("draining:", self.Update(ctx, func(in *discovery.Instance) { in.Draining = true }))
	fmt.Println("gone:", self.Deregister(ctx))
	// Output:
	// draining: <nil>
	// gone: <nil>
}

func ExampleRegistry_Check() {
	registry := discovery.New(mem.New().Driver(), discovery.WithTTL(-time.Second))
	defer registry.Close()
	fmt.Println(registry.Check())
	// Output: discovery.WithTTL(-1s): want more than 0s
}

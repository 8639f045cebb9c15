package consul_test

import (
	"context"
	"fmt"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/consul"
)

func Example() {
	agent, end := startAgent() // stands in for the agent of this machine
	defer end()
	driver, err := consul.New(consul.Config{Address: "127.0.0.1:8500", Dial: agent.dial})
	if err != nil {
		fmt.Println(err)
		return
	}
	registry := discovery.New(driver)
	defer func() { _ = registry.Close() }()
	registry.Register(
		context.Background(),
		discovery.Instance{Service: "payments", Addresses: []string{"10.0.0.7:8443"}, Zone: "b"},
	)

	states := make(chan discovery.State, 1)
	cancel := registry.Subscribe("payments", func(s discovery.State) { states <- s })
	defer cancel()
	for _, in := range (<-states).Instances {
		fmt.Println(in.ID, in.Zone)
	}
	// Output: 10.0.0.7:8443 b
}

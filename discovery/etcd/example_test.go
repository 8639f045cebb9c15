package etcd_test

import (
	"context"
	"fmt"
	"os"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/etcd"
)

func Example() {
	dir, err := os.MkdirTemp("", "etcd")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	engine, err := startEngine(dir) // an etcd of its own, for this example
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.end()

	driver, err := etcd.Open("etcd://" + engine.settings.Client + "/shop")
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

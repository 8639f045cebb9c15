package static_test

import (
	"fmt"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/static"
)

func Example() {
	driver, err := static.New(map[string][]string{"payments": {"10.0.0.7:8443", "10.0.0.8:8443"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	registry := discovery.New(driver)
	defer registry.Close()

	states := make(chan discovery.State, 1)
	cancel := registry.Subscribe("payments", func(s discovery.State) { states <- s })
	defer cancel()
	for _, in := range (<-states).Instances {
		fmt.Println(in.ID)
	}
	// Output:
	// 10.0.0.7:8443
	// 10.0.0.8:8443
}

func ExampleNew_mistake() {
	_, err := static.New(map[string][]string{"payments": {"10.0.0.7"}})
	fmt.Println(err)
	// Output: static: service "payments": address "10.0.0.7": want host:port, such as 10.0.0.7:8443 or [2001:db8::7]:8443
}

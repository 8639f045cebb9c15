package dns_test

import (
	"fmt"
	"time"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/dns"
)

func Example() {
	zone := newZone() // stands in for net.DefaultResolver
	zone.host("payments.prod.svc.cluster.local", "10.0.0.7", "10.0.0.8")

	driver, err := dns.New("{service}.prod.svc.cluster.local:8443", dns.WithLookup(zone), dns.WithInterval(5*time.Second))
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

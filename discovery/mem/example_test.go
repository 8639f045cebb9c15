package mem_test

import (
	"context"
	"fmt"
	"time"

	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/mem"
)

// An operator deletes an instance by mistake, and the driver that announced it learns of that.
func ExampleEngine_DeleteEntry() {
	engine := mem.New()
	client := engine.Driver()
	defer client.Close()
	lease, err := client.Announce(context.Background(), driver.Instance{
		ID: "a", Service: "payments", Addresses: []string{"10.0.0.7:8443"},
	}, 15*time.Second)
	if err != nil {
		fmt.Println(err)
		return
	}
	engine.DeleteEntry("payments", "a")
	<-lease.Lost()
	fmt.Println("lost")
	// Output: lost
}

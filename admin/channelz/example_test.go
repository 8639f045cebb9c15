package channelz_test

import (
	"fmt"

	"github.com/parley-rpc/parley/admin"
	"github.com/parley-rpc/parley/admin/channelz"
)

// The page is a part of the admin surface.
func ExampleMount() {
	surface := admin.New(admin.Config{Service: "orders", Mounts: []admin.Mount{channelz.Mount()}})
	defer surface.Close()
	fmt.Println(channelz.Mount().Path)
	// Output: /debug/channelz/
}

package admin_test

import (
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/parley-rpc/parley/admin"
	"github.com/parley-rpc/parley/waterfall"
)

// The admin surface has no login and listens on loopback alone.
func ExampleNew() {
	const addr = "127.0.0.1:0"
	if err := admin.CheckLoopback(addr); err != nil {
		fmt.Println(err)
		return
	}
	listener, err := net.Listen("tcp", addr) //nolint:noctx // an example
	if err != nil {
		fmt.Println(err)
		return
	}
	server := &http.Server{
		Handler:           admin.New(admin.Config{Service: "orders", Ring: waterfall.NewRing(1000)}),
		ReadHeaderTimeout: 5 * time.Second,
	}
	go func() { _ = server.Serve(listener) }()
	fmt.Println("open http://" + listener.Addr().String()[:10])
	_ = server.Close()
	// Output: open http://127.0.0.1:
}

func ExampleCheckLoopback() {
	fmt.Println(admin.CheckLoopback("localhost:9090"))
	fmt.Println(admin.CheckLoopback(":9090"))
	// Output:
	// <nil>
	// ":9090" listens on every interface, and is not a loopback address; write 127.0.0.1:9090
}

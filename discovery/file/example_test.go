package file_test

import (
	"context"
	"fmt"
	"os"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/file"
)

// Two processes on one machine find each other in a folder.
func Example() {
	folder, err := os.MkdirTemp("", "parley")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(folder) }()

	server, err := file.New(folder)
	if err != nil {
		fmt.Println(err)
		return
	}
	registry := discovery.New(server)
	defer registry.Close()
	registry.Register(context.Background(), discovery.Instance{Service: "payments", Addresses: []string{"127.0.0.1:8443"}})

	client, err := file.Open("file:" + folder)
	if err != nil {
		fmt.Println(err)
		return
	}
	found := discovery.New(client)
	defer found.Close()
	states := make(chan discovery.State, 1)
	cancel := found.Subscribe("payments", func(s discovery.State) { states <- s })
	defer cancel()
	for _, in := range (<-states).Instances {
		fmt.Println(in.Service, in.Addresses)
	}
	// Output: payments [127.0.0.1:8443]
}

package controlplane_test

import (
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/parley-rpc/parley/discovery/controlplane"
)

// absent is a control plane that says nothing: connections are secured as without it, and servers serve at once.
type absent struct{}

func (absent) String() string                 { return "no control plane" }
func (absent) Scheme() string                 { return "passthrough" }
func (absent) Check() error                   { return nil }
func (absent) DialOptions() []grpc.DialOption { return nil }

func (absent) ClientCredentials(fallback credentials.TransportCredentials) (credentials.TransportCredentials, error) {
	return fallback, nil
}

func (absent) ServerCredentials(fallback credentials.TransportCredentials) (credentials.TransportCredentials, error) {
	return fallback, nil
}

func (absent) NewServer(notify func(bool, error), options ...grpc.ServerOption) (controlplane.Server, error) {
	notify(true, nil)
	return grpc.NewServer(options...), nil
}

func ExampleControlPlane() {
	var plane controlplane.ControlPlane = absent{}
	server, err := plane.NewServer(func(serving bool, _ error) { fmt.Println("serving:", serving) })
	if err != nil {
		fmt.Println(err)
		return
	}
	server.Stop()
	// Output: serving: true
}

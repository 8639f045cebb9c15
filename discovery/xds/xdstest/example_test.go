package xdstest_test

import (
	"fmt"
	"testing"

	"github.com/parley-rpc/parley/discovery/xds/xdstest"
)

// silent takes the place of the *testing.T that a test has.
type silent struct{ testing.TB }

func (silent) Helper() {}

// A test puts the resources of a service, changed as it needs them, into a control plane that it has started.
func ExampleNewService() {
	payments := xdstest.NewService(silent{}, "payments", "10.0.0.7:8443")
	for _, endpoint := range payments.Endpoints.GetEndpoints()[0].GetLbEndpoints() {
		fmt.Println(endpoint.GetEndpoint().GetAddress().GetSocketAddress().GetAddress())
	}
	// Output: 10.0.0.7
}

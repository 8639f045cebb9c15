package xds_test

import (
	"fmt"

	"github.com/parley-rpc/parley/discovery/xds"
)

// The environment of this process names a control plane. What it says shows in the first call.
func ExampleNew() {
	plane := xds.New()
	fmt.Println(plane, plane.Check())
	// Output: xds (GRPC_XDS_BOOTSTRAP_CONFIG) <nil>
}

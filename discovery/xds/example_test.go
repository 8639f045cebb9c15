package xds_test

import (
	"fmt"

	"github.com/parley-rpc/parley/discovery/xds"
)

// The environment of this process names a control plane. The first call uses its configuration.
func ExampleNew() {
	plane := xds.New()
	fmt.Println(plane, plane.Check())
	// Output: xds (GRPC_XDS_BOOTSTRAP_CONFIG) <nil>
}

package framework_test

import (
	_ "github.com/parley-rpc/parley/examples/quickstart" // want `framework imports examples/quickstart, which stands above it`
	_ "github.com/parley-rpc/parley/frameworktest"
	_ "github.com/parley-rpc/parley/issuer"
)

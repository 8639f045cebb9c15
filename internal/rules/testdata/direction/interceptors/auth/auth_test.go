package auth_test

import (
	_ "github.com/parley-rpc/parley/frameworktest" // want `interceptors/auth imports frameworktest, which stands above it`
	_ "github.com/parley-rpc/parley/interceptors/retry"
)

package auth

import (
	_ "example.com/other/framework"
	_ "github.com/parley-rpc/parley/framework" // want `interceptors/auth imports framework, which stands above it`
	_ "github.com/parley-rpc/parley/interceptors/auth/credential"
	_ "github.com/parley-rpc/parley/interceptors/retry" // want `interceptors/auth imports interceptors/retry, which stands beside it`
	_ "github.com/parley-rpc/parley/policy"
)

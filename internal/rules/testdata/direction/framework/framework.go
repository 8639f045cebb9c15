package framework

import (
	_ "github.com/parley-rpc/parley/admin"
	_ "github.com/parley-rpc/parley/interceptors/auth"
	_ "github.com/parley-rpc/parley/issuer" // want `framework imports issuer, which it must never link`
)

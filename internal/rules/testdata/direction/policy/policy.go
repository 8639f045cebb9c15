package policy

import (
	_ "context"

	_ "github.com/parley-rpc/parley/attempt"
	_ "github.com/parley-rpc/parley/gen/parley/policy/v1"
	_ "github.com/parley-rpc/parley/internal/jose"
)

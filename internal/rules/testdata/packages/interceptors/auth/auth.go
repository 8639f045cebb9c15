package auth

import (
	_ "log" // want `interceptors/auth imports log`
	_ "log/slog"

	_ "github.com/lestrrat-go/jwx/v2/jwk" // want `interceptors/auth imports github.com/lestrrat-go/jwx/v2/jwk`
)

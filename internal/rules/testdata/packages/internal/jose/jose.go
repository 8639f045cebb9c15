package jose

import (
	_ "github.com/lestrrat-go/jwx/v2/jws"
	_ "github.com/lestrrat-go/jwx/v2/jwt" // want `internal/jose imports github.com/lestrrat-go/jwx/v2/jwt`
)

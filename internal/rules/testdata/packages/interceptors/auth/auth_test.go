package auth_test

import (
	_ "log"
	_ "testing"

	_ "github.com/lestrrat-go/jwx/v2/jws"   // want `interceptors/auth imports github.com/lestrrat-go/jwx/v2/jws`
	_ "github.com/stretchr/testify/require" // want `imports github.com/stretchr/testify/require`
)

package issuer

import (
	"errors"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
)

// checkTimes tells whether a token that somebody else made is good now, and was made for no more than a lifetime. It returns
// its end, after which it has clockSkew left.
func checkTimes(claims *jose.Claims, lifetime time.Duration, now time.Time) (expires time.Time, err error) {
	expires, ok, err := claims.NumericDate("exp")
	if err != nil || !ok {
		return expires, errors.New("exp is missing or no time")
	}
	issued, ok, err := claims.NumericDate("iat")
	if err != nil || !ok {
		return expires, errors.New("iat is missing or no time")
	}
	from, ok, err := claims.NumericDate("nbf")
	if err != nil {
		return expires, errors.New("nbf is no time")
	}
	if !ok || from.Before(issued) {
		from = issued
	}
	switch {
	case !expires.After(issued) || expires.Sub(issued) > lifetime:
		return expires, errors.New("exp does not lie within " + lifetime.String() + " after iat")
	case from.After(now.Add(clockSkew)):
		return expires, errors.New("it is not valid yet")
	case !now.Before(expires.Add(clockSkew)):
		return expires, errors.New("it has expired")
	default:
		return expires, nil
	}
}

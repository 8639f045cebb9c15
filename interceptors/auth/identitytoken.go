package auth

import (
	"errors"
	"fmt"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/principal"
)

const (
	// identityTokenType is the type of a workload identity token (draft-ietf-wimse-workload-creds).
	identityTokenType = "wit+jwt"
	claimConfirmation = "cnf" // RFC 7800
)

// errOwnTokenExpired says that the workload's own identity token has expired and that there is no other.
var errOwnTokenExpired = errors.New("auth: the own identity token has expired, and its source has no other")

// identityToken is what a workload identity token says: whose the key is, and until when.
type identityToken struct {
	id      principal.ID
	key     *jose.PublicKey
	expires time.Time
}

// readIdentityToken reads the claims of a workload identity token of the issuer. There is no leeway at its end, because
// connections end there.
func readIdentityToken(claims *jose.Claims, issuer string, now time.Time) (t identityToken, err error) {
	subject, ok := claims.String(claimSubject)
	if !ok {
		return t, errors.New("sub is missing or no string")
	}
	if t.id, err = principal.ParseID(subject); err != nil {
		return t, errors.New("sub is no ID")
	}
	if claims.Has(claimIssuer) && !sameClaim(claims, claimIssuer, issuer) {
		return t, errors.New("iss is not the issuer of the trust domain")
	}
	if claims.Has(claimAudience) {
		return t, errors.New("an identity token has no aud")
	}
	if t.key, err = confirmedKey(claims); err != nil {
		return t, err
	}
	if err := checkTimes(claims, maxIdentityLifetime, now); err != nil {
		return t, err
	}
	if t.expires, _, err = claims.NumericDate(claimExpires); err != nil {
		return t, err
	}
	if !now.Before(t.expires) {
		return t, errExpired
	}
	switch from, ok, err := claims.NumericDate(claimNotBefore); {
	case err != nil:
		return t, err
	case ok && from.After(now.Add(clockSkew)):
		return t, errNotYetValid
	}
	return t, nil
}

// confirmedKey returns the key in cnf.jwk, which must state its algorithm.
func confirmedKey(claims *jose.Claims) (*jose.PublicKey, error) {
	object, ok := claims.Object(claimConfirmation)
	if !ok {
		return nil, errors.New("cnf is missing or no object")
	}
	confirmation, err := jose.ReadClaims(object)
	if err != nil {
		return nil, err
	}
	text, ok := confirmation.Object("jwk")
	if !ok || len(confirmation.Names()) != 1 {
		return nil, errors.New("cnf does not hold a jwk and nothing else")
	}
	if members, err := jose.ReadClaims(text); err != nil || !members.Has("alg") {
		return nil, errors.New("cnf.jwk states no alg")
	}
	key, err := jose.ParsePublicKey(text)
	if err != nil {
		return nil, fmt.Errorf("cnf.jwk: %w", err)
	}
	return key, nil
}

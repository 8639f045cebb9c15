package wire

import (
	"errors"
	"fmt"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/strictjson"
	"github.com/parley-rpc/parley/principal"
)

// IdentityToken is what a workload identity token says: whose the key is, and until when.
type IdentityToken struct {
	ID      principal.ID
	Key     *jose.PublicKey
	Expires time.Time
}

// Claims are those of the token, issued now by issuer.
func (t IdentityToken) Claims(issuer, id string, now time.Time) ([]byte, error) {
	confirmation, err := confirm(t.Key)
	if err != nil {
		return nil, err
	}
	var b jose.ClaimsBuilder
	b.String(ClaimIssuer, issuer).String(ClaimSubject, t.ID.String()).String(ClaimTokenID, id)
	b.NumericDate(ClaimIssuedAt, now).NumericDate(ClaimExpires, t.Expires).Object(claimConfirmation, confirmation)
	return b.Claims()
}

// confirm returns the claim cnf that binds a token to a key (RFC 7800 section 3.2).
func confirm(key *jose.PublicKey) ([]byte, error) {
	jwk, err := key.MarshalJWK()
	if err != nil {
		return nil, err
	}
	var b jose.ClaimsBuilder
	return b.Object("jwk", jwk).Claims()
}

// ReadIdentityToken reads the claims of a workload identity token of the issuer. There is no leeway at its end, because
// connections end there.
func ReadIdentityToken(claims *strictjson.Object, issuer string, now time.Time) (t IdentityToken, err error) {
	subject, ok := claims.String(ClaimSubject)
	if !ok {
		return t, errors.New("sub is missing or no string")
	}
	if t.ID, err = principal.ParseID(subject); err != nil {
		return t, errors.New("sub is no ID")
	}
	if claims.Has(ClaimIssuer) && !SameClaim(claims, ClaimIssuer, issuer) {
		return t, errors.New("iss is not the issuer of the trust domain")
	}
	if claims.Has(ClaimAudience) {
		return t, errors.New("an identity token has no aud")
	}
	if t.Key, err = confirmedKey(claims); err != nil {
		return t, err
	}
	if err := checkTimes(claims, MaxIdentityLifetime, now); err != nil {
		return t, err
	}
	if t.Expires, _, err = claims.NumericDate(ClaimExpires); err != nil {
		return t, err
	}
	if !now.Before(t.Expires) {
		return t, ErrExpired
	}
	switch from, ok, err := claims.NumericDate(ClaimNotBefore); {
	case err != nil:
		return t, err
	case ok && from.After(now.Add(ClockSkew)):
		return t, NotBeforeError{}
	}
	return t, nil
}

// confirmedKey returns the key in cnf.jwk, which must state its algorithm.
func confirmedKey(claims *strictjson.Object) (*jose.PublicKey, error) {
	object, ok := claims.Object(claimConfirmation)
	if !ok {
		return nil, errors.New("cnf is missing or no object")
	}
	confirmation, err := strictjson.Read(object)
	if err != nil {
		return nil, err
	}
	text, ok := confirmation.Object("jwk")
	if !ok || len(confirmation.Names()) != 1 {
		return nil, errors.New("cnf does not hold a jwk and nothing else")
	}
	members, err := strictjson.Read(text)
	if err != nil {
		return nil, fmt.Errorf("cnf.jwk: %w", err)
	}
	if !members.Has("alg") {
		return nil, errors.New("cnf.jwk states no alg")
	}
	key, err := jose.ParsePublicKey(text)
	if err != nil {
		return nil, fmt.Errorf("cnf.jwk: %w", err)
	}
	return key, nil
}

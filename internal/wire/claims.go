package wire

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"time"

	"github.com/parley-rpc/parley/internal/strictjson"
	"github.com/parley-rpc/parley/principal"
)

// The claims of the tokens and proofs of docs/protocol.md.
const (
	ClaimIssuer       = "iss"
	ClaimSubject      = "sub"
	ClaimAudience     = "aud"
	ClaimIssuedAt     = "iat"
	ClaimExpires      = "exp"
	ClaimNotBefore    = "nbf"
	ClaimTokenID      = "jti"
	ClaimScope        = "scope"
	claimConfirmation = "cnf"    // RFC 7800
	ClaimTransaction  = "txn"    // of a transaction token: its ID
	ClaimRequester    = "req_wl" // of a transaction token: the workload that asked for it

	claimBinding      = "cb"    // the exported keying material of this TLS connection
	claimHelloHash    = "sph"   // SHA-256 of the whole body of frame 1
	claimIdentity     = "cth"   // SHA-256 of the identity token that comes with a server's or a handshake's proof
	claimNonce        = "nonce" // of the caller, in a server's proof
	claimTokenHash    = "ath"   // SHA-256 of the caller's token (RFC 9449 section 4.2)
	ClaimMethod       = "mth"   // the full name of the method
	claimIdentityHash = "wth"   // SHA-256 of the identity token beside a proof of possession
)

// What is wrong with the times of a token that is otherwise good.
var (
	ErrExpired     = errors.New("exp has passed")
	ErrNotYetValid = errors.New("iat lies ahead")
)

// NotBeforeError is [ErrNotYetValid] because of nbf.
type NotBeforeError struct{}

func (NotBeforeError) Error() string { return "nbf lies ahead" }

// Is reports whether target is [ErrNotYetValid].
func (NotBeforeError) Is(target error) bool { return target == ErrNotYetValid }

// CheckOwner is the rule that a key speaks for exactly one ID.
func CheckOwner(claims *strictjson.Object, owner principal.ID) error {
	if owner.IsZero() {
		return errors.New("the key belongs to no ID")
	}
	if !SameClaim(claims, ClaimIssuer, owner.String()) {
		return errors.New("iss is not the ID that the key belongs to")
	}
	if !SameClaim(claims, ClaimSubject, owner.String()) {
		return errors.New("sub is not the ID that the key belongs to")
	}
	return nil
}

// checkTimes checks exp and iat. Both are required.
func checkTimes(claims *strictjson.Object, lifetime time.Duration, now time.Time) error {
	issued, expires, err := ReadLifetime(claims, lifetime)
	switch {
	case err != nil:
		return err
	case !now.Before(expires.Add(ClockSkew)):
		return ErrExpired
	case issued.After(now.Add(ClockSkew)):
		return ErrNotYetValid
	}
	return nil
}

// ReadLifetime returns iat and exp, which are both required and may not lie further apart than lifetime.
func ReadLifetime(claims *strictjson.Object, lifetime time.Duration) (issued, expires time.Time, err error) {
	if expires, err = ReadExpiry(claims); err != nil {
		return issued, expires, err
	}
	issued, ok, err := claims.NumericDate(ClaimIssuedAt)
	switch {
	case err != nil || !ok:
		return issued, expires, errors.New("iat is missing or no time")
	case !expires.After(issued):
		return issued, expires, errors.New("exp is not after iat")
	case expires.Sub(issued) > lifetime:
		return issued, expires, errors.New("the lifetime is too long")
	}
	return issued, expires, nil
}

// ReadExpiry returns exp, which is required.
func ReadExpiry(claims *strictjson.Object) (time.Time, error) {
	expires, ok, err := claims.NumericDate(ClaimExpires)
	if err != nil || !ok {
		return expires, errors.New("exp is missing or no time")
	}
	return expires, nil
}

// SameClaim reports whether a claim is the wanted string. It takes as long for each string of that length.
func SameClaim(claims *strictjson.Object, name, want string) bool {
	got, ok := claims.String(name)
	return ok && subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1
}

// HashOf is the SHA-256 of a text as the claims state it.
func HashOf(text []byte) string {
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// HashOfToken is the hash that a proof states of the identity token beside it, and "" without one.
func HashOfToken(identityToken string) string {
	if identityToken == "" {
		return ""
	}
	return HashOf([]byte(identityToken))
}

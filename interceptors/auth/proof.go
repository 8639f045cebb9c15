package auth

import (
	"crypto/subtle"
	"errors"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/principal"
)

// The token types of the two proofs, one for each role.
const (
	serverProofType = "parley-server+jwt"
	clientProofType = "parley-client+jwt"
)

// The claims of a proof. A proof has exactly those that its role calls for.
const (
	claimIssuer    = "iss"
	claimSubject   = "sub"
	claimAudience  = "aud"
	claimIssuedAt  = "iat"
	claimExpires   = "exp"
	claimNotBefore = "nbf"
	claimTokenID   = "jti"
	claimScope     = "scope"
	claimBinding   = "cb"  // the exported keying material of this TLS connection
	claimHelloHash = "sph" // SHA-256 of the whole body of frame 1
	claimIdentity  = "cth" // SHA-256 of the identity token that comes with the proof
)

var (
	errExpired     = errors.New("exp has passed")
	errNotYetValid = errors.New("iat lies ahead")
)

// proof is what a proof must say, seen from either end.
type proof struct {
	typ       string
	binding   string
	audience  principal.ID // the server, in a client's proof
	helloHash string       // in a client's proof
	tokenHash string       // with an identity token
}

// sign makes the proof with the key of self.
func (p proof) sign(key *jose.PrivateKey, self principal.ID, now time.Time) (string, error) {
	var b jose.ClaimsBuilder
	b.String(claimIssuer, self.String()).String(claimSubject, self.String())
	if !p.audience.IsZero() {
		b.String(claimAudience, p.audience.String()).String(claimHelloHash, p.helloHash)
	}
	if p.tokenHash != "" {
		b.String(claimIdentity, p.tokenHash)
	}
	b.String(claimBinding, p.binding).NumericDate(claimIssuedAt, now).NumericDate(claimExpires, now.Add(proofLifetime))
	claims, err := b.Claims()
	if err != nil {
		return "", err
	}
	return key.Sign(p.typ, claims)
}

// check compares claims whose signature held with what they must say, where owner is the one ID that the verifying key
// belongs to. Times come last, so that only a proof made for this very connection learns about them.
func (p proof) check(claims *jose.Claims, owner principal.ID, now time.Time) error {
	count := 5
	if err := checkOwner(claims, owner); err != nil {
		return err
	}
	if !sameClaim(claims, claimBinding, p.binding) {
		return errors.New("cb is not that of this connection")
	}
	if !p.audience.IsZero() {
		count += 2
		if !sameClaim(claims, claimAudience, p.audience.String()) {
			return errors.New("aud is not this server")
		}
		if !sameClaim(claims, claimHelloHash, p.helloHash) {
			return errors.New("sph is not the hash of this server's hello")
		}
	}
	if p.tokenHash != "" {
		count++
		if !sameClaim(claims, claimIdentity, p.tokenHash) {
			return errors.New("cth is not the hash of the identity token")
		}
	}
	if len(claims.Names()) != count {
		return errors.New("there are claims that the proof must not have")
	}
	return checkTimes(claims, maxProofLifetime, now)
}

// checkOwner is the rule that a key speaks for exactly one ID.
func checkOwner(claims *jose.Claims, owner principal.ID) error {
	if owner.IsZero() {
		return errors.New("the key belongs to no ID")
	}
	if !sameClaim(claims, claimIssuer, owner.String()) {
		return errors.New("iss is not the ID that the key belongs to")
	}
	if !sameClaim(claims, claimSubject, owner.String()) {
		return errors.New("sub is not the ID that the key belongs to")
	}
	return nil
}

// checkTimes checks exp and iat. Both are required.
func checkTimes(claims *jose.Claims, lifetime time.Duration, now time.Time) error {
	issued, expires, err := readLifetime(claims, lifetime)
	switch {
	case err != nil:
		return err
	case !now.Before(expires.Add(clockSkew)):
		return errExpired
	case issued.After(now.Add(clockSkew)):
		return errNotYetValid
	}
	return nil
}

// readLifetime returns iat and exp, which are both required and may not lie further apart than lifetime.
func readLifetime(claims *jose.Claims, lifetime time.Duration) (issued, expires time.Time, err error) {
	expires, ok, err := claims.NumericDate(claimExpires)
	if err != nil || !ok {
		return issued, expires, errors.New("exp is missing or no time")
	}
	issued, ok, err = claims.NumericDate(claimIssuedAt)
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

func sameClaim(claims *jose.Claims, name, want string) bool {
	got, ok := claims.String(name)
	return ok && subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1
}

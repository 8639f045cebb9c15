package wire

import (
	"crypto/rand"
	"errors"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/strictjson"
	"github.com/parley-rpc/parley/principal"
)

// Enrollment is what a workload proves to an issuer to get an identity token for a key that the issuer does not know:
// that it has the key, and that it sent the token of another authority beside it together with this key.
type Enrollment struct {
	ID       principal.ID // that the workload expects to get
	Issuer   string
	Evidence string // the token of the other authority
}

// Sign makes the proof with the key to be bound, good for one use.
func (e Enrollment) Sign(key *jose.PrivateKey, now time.Time) (string, error) {
	confirmation, err := confirm(key.Public())
	if err != nil {
		return "", err
	}
	var b jose.ClaimsBuilder
	b.String(ClaimIssuer, e.ID.String()).String(ClaimSubject, e.ID.String()).String(ClaimAudience, e.Issuer)
	b.String(claimTokenHash, HashOf([]byte(e.Evidence))).String(ClaimTokenID, rand.Text())
	b.NumericDate(ClaimIssuedAt, now).NumericDate(ClaimExpires, now.Add(enrollmentLifetime))
	claims, err := b.Object(claimConfirmation, confirmation).Claims()
	if err != nil {
		return "", err
	}
	return key.Sign(jose.TypeEnrollment, claims)
}

// EnrollmentKey returns the key that a proof states for itself. Nothing is proven before its signature was verified
// with that key.
func EnrollmentKey(claims *strictjson.Object) (*jose.PublicKey, error) { return confirmedKey(claims) }

// Check compares claims whose signature held with what they must say. It returns the jti of the proof.
func (e Enrollment) Check(claims *strictjson.Object, now time.Time) (id string, err error) {
	id, ok := claims.String(ClaimTokenID)
	switch {
	case !SameClaim(claims, ClaimIssuer, e.ID.String()) || !SameClaim(claims, ClaimSubject, e.ID.String()):
		return "", errors.New("iss and sub are not the workload that the token beside it names")
	case !SameClaim(claims, ClaimAudience, e.Issuer):
		return "", errors.New("aud is not this issuer")
	case !SameClaim(claims, claimTokenHash, HashOf([]byte(e.Evidence))):
		return "", errors.New("ath is not the hash of the token beside it")
	case !ok || id == "" || len(id) > maxProofIDLength:
		return "", errors.New("jti is missing or too long")
	case len(claims.Names()) != 8:
		return "", errors.New("there are claims that the proof must not have")
	}
	return id, checkTimes(claims, MaxProofLifetime, now)
}

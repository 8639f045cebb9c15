package wire

import (
	"crypto/rand"
	"errors"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/strictjson"
	"github.com/parley-rpc/parley/principal"
)

// Possession is what a caller's proof that it holds its key must say, seen from either end. The draft binds the key by
// a workload identity token; with a trust directory there is none, and iss and sub stand in the place of wth.
type Possession struct {
	Caller    principal.ID
	Server    principal.ID
	TokenHash string
	Method    string

	IdentityHash string // of the caller's identity token, where there is one
}

// Sign makes the proof with the key of the caller, good for one use.
func (p Possession) Sign(key *jose.PrivateKey, now time.Time) (string, error) {
	var b jose.ClaimsBuilder
	b.String(ClaimIssuer, p.Caller.String()).
		String(ClaimSubject, p.Caller.String()).
		String(ClaimAudience, p.Server.String())
	b.String(claimTokenHash, p.TokenHash).String(ClaimMethod, p.Method).String(ClaimTokenID, rand.Text())
	if p.IdentityHash != "" {
		b.String(claimIdentityHash, p.IdentityHash)
	}
	claims, err := b.NumericDate(ClaimIssuedAt, now).NumericDate(ClaimExpires, now.Add(possessionLifetime)).Claims()
	if err != nil {
		return "", err
	}
	return key.Sign(jose.TypePossession, claims)
}

// Check compares claims whose signature held with what they must say, where owner is the one ID that the verifying key
// belongs to. It returns the ID of the proof.
func (p Possession) Check(claims *strictjson.Object, owner principal.ID, now time.Time) (id string, err error) {
	if owner != p.Caller {
		return "", errors.New("the key is not one of the workload that the token names")
	}
	if err := CheckOwner(claims, owner); err != nil {
		return "", err
	}
	count := 8
	if p.IdentityHash != "" {
		count++
		if !SameClaim(claims, claimIdentityHash, p.IdentityHash) {
			return "", errors.New("wth is not the hash of the identity token beside it")
		}
	}
	id, ok := claims.String(ClaimTokenID)
	switch {
	case !SameClaim(claims, ClaimAudience, p.Server.String()):
		return "", errors.New("aud is not this server")
	case !SameClaim(claims, claimTokenHash, p.TokenHash):
		return "", errors.New("ath is not the hash of the token beside it")
	case !SameClaim(claims, ClaimMethod, p.Method):
		return "", errors.New("mth is not the method that is called")
	case !ok || id == "" || len(id) > maxProofIDLength:
		return "", errors.New("jti is missing or too long")
	case len(claims.Names()) != count:
		return "", errors.New("there are claims that the proof must not have")
	}
	return id, checkTimes(claims, MaxProofLifetime, now)
}

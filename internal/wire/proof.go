package wire

import (
	"errors"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/strictjson"
	"github.com/parley-rpc/parley/principal"
)

// Proof is what a proof must say, seen from either end.
type Proof struct {
	Type         string
	Binding      string
	Audience     principal.ID // the server, in a client's proof
	HelloHash    string       // in a client's proof
	IdentityHash string       // with an identity token
}

// Sign makes the proof with the key of self.
func (p Proof) Sign(key *jose.PrivateKey, self principal.ID, now time.Time) (string, error) {
	var b jose.ClaimsBuilder
	b.String(ClaimIssuer, self.String()).String(ClaimSubject, self.String())
	if !p.Audience.IsZero() {
		b.String(ClaimAudience, p.Audience.String()).String(claimHelloHash, p.HelloHash)
	}
	if p.IdentityHash != "" {
		b.String(claimIdentity, p.IdentityHash)
	}
	b.String(claimBinding, p.Binding).NumericDate(ClaimIssuedAt, now).NumericDate(ClaimExpires, now.Add(proofLifetime))
	claims, err := b.Claims()
	if err != nil {
		return "", err
	}
	return key.Sign(p.Type, claims)
}

// Check compares claims whose signature held with what they must say, where owner is the one ID that the verifying key
// belongs to. Times come last, so that only a proof made for this very connection learns about them.
func (p Proof) Check(claims *strictjson.Object, owner principal.ID, now time.Time) error {
	count := 5
	if err := CheckOwner(claims, owner); err != nil {
		return err
	}
	if !SameClaim(claims, claimBinding, p.Binding) {
		return errors.New("cb is not that of this connection")
	}
	if !p.Audience.IsZero() {
		count += 2
		if !SameClaim(claims, ClaimAudience, p.Audience.String()) {
			return errors.New("aud is not this server")
		}
		if !SameClaim(claims, claimHelloHash, p.HelloHash) {
			return errors.New("sph is not the hash of this server's hello")
		}
	}
	if p.IdentityHash != "" {
		count++
		if !SameClaim(claims, claimIdentity, p.IdentityHash) {
			return errors.New("cth is not the hash of the identity token")
		}
	}
	if len(claims.Names()) != count {
		return errors.New("there are claims that the proof must not have")
	}
	return checkTimes(claims, MaxProofLifetime, now)
}

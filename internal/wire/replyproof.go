package wire

import (
	"errors"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/strictjson"
	"github.com/parley-rpc/parley/principal"
)

// ReplyProof is what a server's proof must say, seen from either end.
type ReplyProof struct {
	Caller    principal.ID
	Nonce     string
	TokenHash string
	Method    string // empty where the proof is good for every method

	IdentityHash string // of the server's identity token, where there is one
}

// Sign makes the proof with the key of self.
func (p ReplyProof) Sign(key *jose.PrivateKey, self principal.ID, now time.Time) (string, error) {
	var b jose.ClaimsBuilder
	b.String(ClaimIssuer, self.String()).String(ClaimSubject, self.String()).String(ClaimAudience, p.Caller.String())
	b.String(claimNonce, p.Nonce).String(claimTokenHash, p.TokenHash)
	if p.Method != "" {
		b.String(ClaimMethod, p.Method)
	}
	if p.IdentityHash != "" {
		b.String(claimIdentity, p.IdentityHash)
	}
	claims, err := b.NumericDate(ClaimIssuedAt, now).NumericDate(ClaimExpires, now.Add(ReplyProofLifetime)).Claims()
	if err != nil {
		return "", err
	}
	return key.Sign(jose.TypeReplyProof, claims)
}

// Check compares claims whose signature held with what they must say, where owner is the one ID that the verifying key
// belongs to, for a credential that was sent at some time: the header of an answer comes when the handler sends it,
// which may be long after the proof was made, and the nonce says that it was not made long before. It reports until
// when the proof is good.
func (p ReplyProof) Check(
	claims *strictjson.Object,
	owner principal.ID,
	perCall bool,
	sentAt time.Time,
) (until time.Time, err error) {
	count := 7
	if err := CheckOwner(claims, owner); err != nil {
		return until, err
	}
	switch {
	case !SameClaim(claims, ClaimAudience, p.Caller.String()):
		return until, errors.New("aud is not this client")
	case !SameClaim(claims, claimNonce, p.Nonce):
		return until, errors.New("nonce is not the one that was sent")
	case !SameClaim(claims, claimTokenHash, p.TokenHash):
		return until, errors.New("ath is not the hash of the token that was sent")
	}
	if claims.Has(ClaimMethod) {
		count++
		if !SameClaim(claims, ClaimMethod, p.Method) {
			return until, errors.New("mth is not the method that was called")
		}
	} else if perCall {
		return until, errors.New("the proof is not made for this call")
	}
	if p.IdentityHash != "" {
		count++
		if !SameClaim(claims, claimIdentity, p.IdentityHash) {
			return until, errors.New("cth is not the hash of the identity token")
		}
	}
	if len(claims.Names()) != count {
		return until, errors.New("there are claims that the proof must not have")
	}
	issued, expires, err := ReadLifetime(claims, MaxProofLifetime)
	switch until = expires.Add(ClockSkew); {
	case err != nil:
		return until, err
	case !sentAt.Before(until):
		return until, ErrExpired
	case issued.After(time.Now().Add(ClockSkew)):
		return until, ErrNotYetValid
	}
	return until, nil
}

package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// possessionType is the type of a workload proof token (draft-ietf-wimse-wpt).
const possessionType = "wpt+jwt"

// claimIdentityHash is the SHA-256 of the workload identity token beside a workload proof token.
const claimIdentityHash = "wth"

// possession is what a caller's proof that it holds its key must say, seen from either end. The draft binds the key by a
// workload identity token; with a trust directory there is none, and iss and sub stand in the place of wth.
type possession struct {
	caller principal.ID
	server principal.ID
	ath    string
	method string

	tokenHash string // of the caller's identity token, where there is one
}

// sign makes the proof with the key of the caller, good for one use.
func (p possession) sign(key *jose.PrivateKey, now time.Time) (string, error) {
	var b jose.ClaimsBuilder
	b.String(claimIssuer, p.caller.String()).String(claimSubject, p.caller.String()).String(claimAudience, p.server.String())
	b.String(claimTokenHash, p.ath).String(claimMethod, p.method).String(claimTokenID, rand.Text())
	if p.tokenHash != "" {
		b.String(claimIdentityHash, p.tokenHash)
	}
	claims, err := b.NumericDate(claimIssuedAt, now).NumericDate(claimExpires, now.Add(possessionLifetime)).Claims()
	if err != nil {
		return "", err
	}
	return key.Sign(possessionType, claims)
}

// check compares claims whose signature held with what they must say, where owner is the one ID that the verifying key
// belongs to. It returns the ID of the proof.
func (p possession) check(claims *jose.Claims, owner principal.ID, now time.Time) (id string, err error) {
	if owner != p.caller {
		return "", errors.New("the key is not one of the workload that the token names")
	}
	if err := checkOwner(claims, owner); err != nil {
		return "", err
	}
	count := 8
	if p.tokenHash != "" {
		count++
		if !sameClaim(claims, claimIdentityHash, p.tokenHash) {
			return "", errors.New("wth is not the hash of the identity token beside it")
		}
	}
	id, ok := claims.String(claimTokenID)
	switch {
	case !sameClaim(claims, claimAudience, p.server.String()):
		return "", errors.New("aud is not this server")
	case !sameClaim(claims, claimTokenHash, p.ath):
		return "", errors.New("ath is not the hash of the token beside it")
	case !sameClaim(claims, claimMethod, p.method):
		return "", errors.New("mth is not the method that is called")
	case !ok || id == "" || len(id) > maxProofIDLength:
		return "", errors.New("jti is missing or too long")
	case len(claims.Names()) != count:
		return "", errors.New("there are claims that the proof must not have")
	}
	return id, checkTimes(claims, maxProofLifetime, now)
}

// proofUse names a proof. There is one type of proof only, so the type is no part of the name.
type proofUse struct {
	issuer principal.ID
	id     string
}

// checkPossession demands that the caller proves, for this attempt alone, that it holds the key of the workload that its token
// names. Its error is a refusal.
func (g *Gate) checkPossession(ctx context.Context, t *verified, has *presented, method string) (err error) {
	switch len(has.possession) {
	case 0:
		return refuse(rpcerr.ProofRequired, nil)
	case 1:
	default:
		return refuse(rpcerr.CredentialsInvalid, fmt.Errorf("%d proofs of possession instead of one", len(has.possession)))
	}
	if len(has.identity) > 1 {
		return refuse(rpcerr.CredentialsInvalid, fmt.Errorf("%d identity tokens instead of one", len(has.identity)))
	}
	now, identity := time.Now(), strings.Join(has.identity, "")
	id, err := g.readPossession(ctx, has.possession[0], identity, possession{
		caller: t.peer.ID, server: g.identity.self, ath: t.ath, method: method, tokenHash: hashOfToken(identity),
	}, now)
	if err != nil {
		return callerRefusal(err)
	}
	switch fresh, full := g.replays.Use(proofUse{t.peer.ID, strings.Clone(id)}, now); {
	case full:
		return refuse(rpcerr.AuthOverloaded, errors.New("too many proofs of possession in two minutes"))
	case !fresh:
		return refuse(rpcerr.ProofReplayed, nil)
	}
	return nil
}

// readPossession checks a proof but for its being new, and returns its ID.
func (g *Gate) readPossession(ctx context.Context, compact, identity string, want possession, now time.Time) (id string, err error) {
	defer refusePanic(&err)
	token, err := jose.Parse(compact, possessionType)
	if err != nil {
		return "", err
	}
	trust, err := g.identity.anchor()
	if err != nil {
		return "", err
	}
	bound, err := trust.vouch(ctx, identity, token.KeyID(), g.turn)
	if err != nil {
		return "", err
	}
	claims, err := checkSignature(ctx, token, bound.key, g.turn)
	if err != nil {
		return "", err
	}
	return want.check(claims, bound.id, now)
}

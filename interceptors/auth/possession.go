package auth

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/rpcerr"
)

// A proof is remembered for as long as it can be valid.
const _ = uint64(replayMemory - wire.MaxProofLifetime - 2*wire.ClockSkew)

// checkPossession demands that the caller proves, for this attempt alone, that it holds the key of the workload that
// its token names. Its error is a refusal.
func (g *Gate) checkPossession(
	ctx context.Context, t *verify.Token, has *receivedCredentials, method string,
) (err error) {
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
	id, err := g.readPossession(ctx, has.possession[0], identity, wire.Possession{
		Caller: t.Peer.ID, Server: g.identity.self, TokenHash: t.HashText, Method: method, IdentityHash: wire.HashOfToken(identity),
	}, now)
	if err != nil {
		return verify.CallerRefusal(err)
	}
	// There is one type of proof only, so the type is no part of the name.
	switch fresh, err := g.replays.Use(t.Peer.ID, strings.Clone(id), now); {
	case err != nil:
		refusal := refuse(rpcerr.AuthOverloaded, fmt.Errorf("the memory of proofs of possession of %v: %w", t.Peer.ID, err))
		refusal.Message = "too many calls with proofs of possession in two minutes: " + err.Error()
		return refusal
	case !fresh:
		return refuse(rpcerr.ProofReplayed, nil)
	}
	return nil
}

// readPossession checks a proof but for its being new, and returns its ID.
func (g *Gate) readPossession(ctx context.Context, compact, identity string, want wire.Possession, now time.Time) (id string, err error) {
	defer verify.RefusePanic(&err)
	token, err := jose.Parse(compact, jose.TypePossession)
	if err != nil {
		return "", err
	}
	trust, err := g.identity.currentTrust()
	if err != nil {
		return "", err
	}
	bound, err := trust.Vouch(ctx, identity, token.KeyID(), g.turn)
	if err != nil {
		return "", err
	}
	claims, err := verify.CheckSignature(ctx, token, bound.Key, g.turn)
	if err != nil {
		return "", err
	}
	return want.Check(claims, bound.ID, now)
}

package auth

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/lru"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// checkedProofs remembers which proofs were found to hold that came back for one credential, by their bytes. What else
// a proof was compared with is fixed: nonce and token are the credential's, and the expected ID is that of its channel.
// A nil one remembers nothing.
type checkedProofs struct {
	last atomic.Pointer[checkedProof] // spares the search, and the lock, where one server answers

	mu     sync.Mutex
	proofs *lru.Cache[string, *checkedProof]
}

type checkedProof struct {
	proof      string
	until      time.Time
	keyID      string
	owner      principal.ID
	trust      verify.Validity
	generation atomic.Uint64
}

func newCheckedProofs() *checkedProofs {
	return &checkedProofs{proofs: lru.New[string, *checkedProof](maxCheckedProofs)}
}

// checkReply checks the proof in the header of an answer. Its error is a refusal of the server.
func (c *Channel) checkReply(ctx context.Context, header metadata.MD, e *tokenAttempt, sent *credential) error {
	proofs := header[wire.ReplyProofKey]
	switch len(proofs) {
	case 0:
		return refuse(rpcerr.ServerProofMissing, nil)
	case 1:
	default:
		return refuse(rpcerr.ServerProofInvalid, fmt.Errorf("%d proofs instead of one", len(proofs)))
	}
	keys, err := c.identity.usable(ctx)
	if err != nil {
		return refuse(rpcerr.KeysUnavailable, err)
	}
	identities := header[wire.ReplyIdentityKey]
	if len(identities) > 1 {
		return refuse(rpcerr.ServerProofInvalid, fmt.Errorf("%d identity tokens instead of one", len(identities)))
	}
	if sent.checked.holds(proofs[0], e.sentAt()) {
		return nil
	}
	p, perMethod, err := c.checkProof(ctx, keys, proofs[0], strings.Join(identities, ""), e, sent)
	if err != nil {
		return verify.ServerRefusal(err)
	}
	if !principal.MatchesAny(c.expected, p.owner) {
		return mismatch(c.expected, nil)
	}
	if !perMethod {
		sent.checked.keep(p)
	}
	return nil
}

// checkProof checks a proof completely. It reports what is to be remembered of it, and whether it is good for one
// method only.
func (c *Channel) checkProof(
	ctx context.Context, keys *ownCredentials, proof, identity string, e *tokenAttempt, sent *credential,
) (p *checkedProof, perMethod bool, err error) {
	defer verify.RefusePanic(&err)
	token, err := jose.Parse(proof, jose.TypeReplyProof)
	if err != nil {
		return nil, false, err
	}
	bound, err := keys.trust.Vouch(ctx, identity, token.KeyID(), nil)
	if err != nil {
		return nil, false, err
	}
	p = &checkedProof{proof: proof, keyID: token.KeyID(), owner: bound.ID, trust: bound.Validity}
	p.generation.Store(bound.Generation)
	claims, err := token.Verify(bound.Key)
	if err != nil {
		return nil, false, err
	}
	want := wire.ReplyProof{Caller: c.identity.self, Nonce: sent.nonce, TokenHash: sent.ath, Method: e.method, IdentityHash: wire.HashOfToken(identity)}
	p.until, err = want.Check(claims, p.owner, e.level >= policy.ProofCall, e.sentAt())
	if !bound.Expires.IsZero() && bound.Expires.Before(p.until) {
		p.until = bound.Expires
	}
	return p, claims.Has(wire.ClaimMethod), err
}

// holds reports whether a proof was checked before and still holds for a credential that was sent at some time.
func (c *checkedProofs) holds(proof string, sentAt time.Time) bool {
	if c == nil {
		return false
	}
	if p := c.last.Load(); p != nil && p.proof == proof {
		return p.holds(sentAt)
	}
	c.mu.Lock()
	p, ok := c.proofs.Get(proof)
	c.mu.Unlock()
	if !ok {
		return false
	}
	c.last.Store(p)
	return p.holds(sentAt)
}

func (c *checkedProofs) keep(p *checkedProof) {
	if c == nil {
		return
	}
	c.last.Store(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.proofs.Put(p.proof, p)
}

// holds reports whether the proof still holds: in time, and by a key that is still trusted.
func (p *checkedProof) holds(sentAt time.Time) bool {
	if !sentAt.Before(p.until) {
		return false
	}
	generation := p.trust.Generation()
	if p.generation.Load() == generation {
		return true
	}
	if !p.trust.Holds(p.keyID, p.owner) {
		return false
	}
	p.generation.Store(generation)
	return true
}

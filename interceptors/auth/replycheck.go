package auth

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/rpcerr"
)

// checkedProofs remembers which proofs of servers were found to hold. A proof is known by everything that it was compared with:
// its bytes, the nonce and the token; the expected ID is that of the channel.
type checkedProofs struct {
	mu     sync.Mutex
	proofs *lru[checkedKey, checkedProof]
}

type checkedKey struct{ proof, nonce, ath string }

type checkedProof struct {
	until      time.Time
	keyID      string
	owner      ID
	trust      lifeline
	generation uint64
}

func newCheckedProofs() *checkedProofs {
	return &checkedProofs{proofs: newLRU[checkedKey, checkedProof](maxCheckedProofs)}
}

// checkReply checks the proof in the header of an answer. Its error is a refusal of the server.
func (c *Channel) checkReply(ctx context.Context, header metadata.MD, e *exchange, sent *credential) error {
	proofs := header[replyProofKey]
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
	key := checkedKey{proofs[0], sent.nonce, sent.ath}
	identities := header[replyIdentityKey]
	if len(identities) > 1 {
		return refuse(rpcerr.ServerProofInvalid, fmt.Errorf("%d identity tokens instead of one", len(identities)))
	}
	if e.level < policy.ProofCall && c.checked.holds(key, e.begun) {
		return nil
	}
	p, perMethod, err := c.checkProof(ctx, keys, key, strings.Join(identities, ""), e)
	if err != nil {
		return serverRefusal(err)
	}
	if !matchesAny(c.expected, p.owner) {
		return mismatch(c.expected, nil)
	}
	if !perMethod {
		c.checked.keep(key, p)
	}
	return nil
}

// checkProof checks a proof completely. It reports what is to be remembered of it, and whether it is good for one method only.
func (c *Channel) checkProof(ctx context.Context, keys *core, key checkedKey, identity string, e *exchange) (p checkedProof, perMethod bool, err error) {
	defer refusePanic(&err)
	token, err := jose.Parse(key.proof, replyProofType)
	if err != nil {
		return p, false, err
	}
	bound, err := keys.trust.vouch(ctx, identity, token.KeyID(), nil)
	if err != nil {
		return p, false, err
	}
	p = checkedProof{keyID: token.KeyID(), owner: bound.id, trust: bound.trust, generation: bound.generation}
	claims, err := token.Verify(bound.key)
	if err != nil {
		return p, false, err
	}
	want := replyProof{caller: c.identity.self, nonce: key.nonce, ath: key.ath, method: e.method, tokenHash: hashOfToken(identity)}
	p.until, err = want.check(claims, p.owner, e.level >= policy.ProofCall, e.begun)
	if !bound.expires.IsZero() && bound.expires.Before(p.until) {
		p.until = bound.expires
	}
	return p, claims.Has(claimMethod), err
}

// holds tells whether a proof was checked before and still holds for a call that was begun at some time.
func (c *checkedProofs) holds(key checkedKey, begun time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.proofs.get(key)
	if !ok {
		return false
	}
	if !begun.Before(p.until) {
		return false
	}
	generation := p.trust.generation()
	if p.generation == generation {
		return true
	}
	if !p.trust.holds(p.keyID, p.owner) {
		c.proofs.remove(key)
		return false
	}
	p.generation = generation
	c.proofs.put(key, p)
	return true
}

func (c *checkedProofs) keep(key checkedKey, p checkedProof) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.proofs.put(key, p)
}

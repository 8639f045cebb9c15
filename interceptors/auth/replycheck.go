package auth

import (
	"context"
	"fmt"
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
	if e.level < policy.ProofCall && c.checked.holds(key, keys.trust, e.begun) {
		return nil
	}
	p, perMethod, err := c.checkProof(ctx, keys, key, e)
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
func (c *Channel) checkProof(ctx context.Context, keys *core, key checkedKey, e *exchange) (p checkedProof, perMethod bool, err error) {
	defer refusePanic(&err)
	token, err := jose.Parse(key.proof, replyProofType)
	if err != nil {
		return p, false, err
	}
	p = checkedProof{keyID: token.KeyID(), generation: keys.trust.generation()}
	var public *jose.PublicKey
	if p.owner, public, err = keys.trust.await(ctx, p.keyID); err != nil {
		return p, false, err
	}
	claims, err := token.Verify(public)
	if err != nil {
		return p, false, err
	}
	want := replyProof{caller: c.identity.self, nonce: key.nonce, ath: key.ath, method: e.method}
	p.until, err = want.check(claims, p.owner, e.level >= policy.ProofCall, e.begun)
	return p, claims.Has(claimMethod), err
}

// holds tells whether a proof was checked before and still holds for a call that was begun at some time.
func (c *checkedProofs) holds(key checkedKey, trust anchor, begun time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.proofs.get(key)
	if !ok {
		return false
	}
	if !begun.Before(p.until) {
		return false
	}
	generation := trust.generation()
	if p.generation == generation {
		return true
	}
	if !trust.holds(p.keyID, p.owner) {
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

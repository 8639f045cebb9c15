package auth

import (
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/principal"
)

// issuedProofs remembers the proofs of a server that are good for a session, so that it signs once a minute and not in each
// call. A caller gets only so many per token, and all of them together only so many.
type issuedProofs struct {
	mu       sync.Mutex
	proofs   map[issuedKey]*issuedProof
	perToken map[verify.Hash]int
	queue    []*issuedProof // oldest first; all of them live equally long
}

// issuedKey is everything that a proof is good for.
type issuedKey struct {
	by     *core // the server's key and identity token
	caller principal.ID
	token  verify.Hash
	nonce  string
}

type issuedProof struct {
	key    issuedKey
	header metadata.MD
	at     time.Time
}

// answers tells whether the proof is good for a call of the bearer of its token. A nil one is not.
func (p *issuedProof) answers(by *core, nonce string, now time.Time) bool {
	return p != nil && p.key.by == by && p.key.nonce == nonce && !p.old(now)
}

// old tells whether the proof is too old to be sent again.
func (p *issuedProof) old(now time.Time) bool { return now.Sub(p.at) >= wire.ReplyProofLifetime }

func newIssuedProofs() *issuedProofs {
	return &issuedProofs{proofs: make(map[issuedKey]*issuedProof), perToken: make(map[verify.Hash]int)}
}

// get returns the proof, or whether there is no room for one.
func (p *issuedProofs) get(key issuedKey, now time.Time) (proof *issuedProof, full bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expire(now)
	if proof := p.proofs[key]; proof != nil {
		return proof, false
	}
	return nil, len(p.proofs) >= maxSessionProofs || p.perToken[key.token] >= maxTokenNonces
}

// put keeps a proof, and returns it, or the one that another call was quicker to make.
func (p *issuedProofs) put(proof *issuedProof) *issuedProof {
	p.mu.Lock()
	defer p.mu.Unlock()
	if first := p.proofs[proof.key]; first != nil {
		return first
	}
	p.proofs[proof.key] = proof
	p.perToken[proof.key.token]++
	p.queue = append(p.queue, proof)
	return proof
}

// expire forgets what is too old to be sent again.
func (p *issuedProofs) expire(now time.Time) {
	n := 0
	for ; n < len(p.queue) && p.queue[n].old(now); n++ {
		key := p.queue[n].key
		delete(p.proofs, key)
		if p.perToken[key.token]--; p.perToken[key.token] == 0 {
			delete(p.perToken, key.token)
		}
	}
	if n > 0 {
		p.queue = slices.Delete(p.queue, 0, n)
	}
}

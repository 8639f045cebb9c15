package auth

import (
	"errors"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/internal/shares"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/principal"
)

// issuedProofs remembers the proofs of a server that are good for a session, so that it signs once a minute and not in
// each call. There is room for only so many per token and per caller, and in all; a proof for which there is none is
// signed nevertheless, and not remembered, so often as the caller's meter allows.
type issuedProofs struct {
	unkept *shares.Meter[principal.ID]

	mu       sync.Mutex
	callers  *shares.Table[principal.ID]
	proofs   map[issuedKey]*issuedProof
	perToken map[verify.Hash]int
	queue    []*issuedProof // oldest first; all of them live equally long
}

// issuedKey is everything that a proof is good for.
type issuedKey struct {
	by     *ownCredentials // the server's key and identity token
	caller principal.ID
	token  verify.Hash
	nonce  string
}

type issuedProof struct {
	key    issuedKey
	header metadata.MD
	at     time.Time
}

// answers reports whether the proof is good for a call of the bearer of its token. A nil one is not.
func (p *issuedProof) answers(by *ownCredentials, nonce string, now time.Time) bool {
	return p != nil && p.key.by == by && p.key.nonce == nonce && !p.old(now)
}

// old reports whether the proof is too old to be sent again.
func (p *issuedProof) old(now time.Time) bool { return now.Sub(p.at) >= wire.ReplyProofLifetime }

func newIssuedProofs() *issuedProofs {
	return &issuedProofs{
		unkept:  shares.NewMeter[principal.ID](unkeptProofs, unkeptProofs),
		callers: shares.NewTable[principal.ID](maxSessionProofs, maxCallerProofs),
		proofs:  make(map[issuedKey]*issuedProof), perToken: make(map[verify.Hash]int),
	}
}

var errTokenNonces = errors.New("its token has 8 other nonces within a minute")

// get returns the proof that is remembered, or nil, and then whether there is room to remember another one.
func (p *issuedProofs) get(key issuedKey, now time.Time) (proof *issuedProof, room error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expire(now)
	if proof := p.proofs[key]; proof != nil {
		return proof, nil
	}
	return nil, p.room(key)
}

func (p *issuedProofs) room(key issuedKey) error {
	if p.perToken[key.token] >= maxTokenNonces {
		return errTokenNonces
	}
	return p.callers.Room(key.caller)
}

// put keeps a proof if there still is room, and returns it, or the one that another call was quicker to make.
func (p *issuedProofs) put(proof *issuedProof) *issuedProof {
	p.mu.Lock()
	defer p.mu.Unlock()
	if first := p.proofs[proof.key]; first != nil {
		return first
	}
	if p.room(proof.key) != nil {
		return proof
	}
	_ = p.callers.Take(proof.key.caller) // there is room
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
		p.callers.Give(key.caller)
		if p.perToken[key.token]--; p.perToken[key.token] == 0 {
			delete(p.perToken, key.token)
		}
	}
	if n > 0 {
		p.queue = slices.Delete(p.queue, 0, n)
	}
}

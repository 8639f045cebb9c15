package auth

import (
	"sync"
	"time"

	"google.golang.org/grpc/metadata"
)

// issuedProofs remembers the proofs of a server that are good for a session, so that it signs once a minute and not in each
// call. A caller gets only so many per token, and all of them together only so many.
type issuedProofs struct {
	mu       sync.Mutex
	proofs   map[issuedKey]metadata.MD
	perToken map[tokenHash]int
	queue    []issuedProof // oldest first; all of them live equally long
}

// issuedKey is everything that a proof is good for.
type issuedKey struct {
	by     *core // the server's key and identity token
	caller ID
	token  tokenHash
	nonce  string
}

type issuedProof struct {
	key issuedKey
	at  time.Time
}

func newIssuedProofs() *issuedProofs {
	return &issuedProofs{proofs: make(map[issuedKey]metadata.MD), perToken: make(map[tokenHash]int)}
}

// get returns the header with the proof, or whether there is no room for one.
func (p *issuedProofs) get(key issuedKey, now time.Time) (header metadata.MD, full bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expire(now)
	if header := p.proofs[key]; header != nil {
		return header, false
	}
	return nil, len(p.proofs) >= maxSessionProofs || p.perToken[key.token] >= maxTokenNonces
}

// put keeps a proof, and returns it, or the one that another call was quicker to make.
func (p *issuedProofs) put(key issuedKey, header metadata.MD, now time.Time) metadata.MD {
	p.mu.Lock()
	defer p.mu.Unlock()
	if first := p.proofs[key]; first != nil {
		return first
	}
	p.proofs[key] = header
	p.perToken[key.token]++
	p.queue = append(p.queue, issuedProof{key, now})
	return header
}

// expire forgets what is too old to be sent again.
func (p *issuedProofs) expire(now time.Time) {
	n := 0
	for ; n < len(p.queue) && now.Sub(p.queue[n].at) >= replyProofLifetime; n++ {
		old := p.queue[n].key
		delete(p.proofs, old)
		if p.perToken[old.token]--; p.perToken[old.token] == 0 {
			delete(p.perToken, old.token)
		}
	}
	if n > 0 {
		p.queue = append(p.queue[:0], p.queue[n:]...)
	}
}

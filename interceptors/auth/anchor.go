package auth

import (
	"context"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/turnstile"
	"github.com/parley-rpc/parley/principal"
)

// lifeline says whether what a peer was believed by is still believed.
type lifeline interface {
	// holds tells whether the key still belongs to id.
	holds(kid string, id principal.ID) bool
	// generation counts the changes; what holds answers changes only with it.
	generation() uint64
}

// anchor says which key belongs to which workload. Its answers come from a snapshot and change only with its generation.
type anchor interface {
	lifeline
	// lookup returns the one ID that the key called kid belongs to, and the key. It never waits. errKeysUnavailable says
	// that there is no snapshot to ask.
	lookup(kid string) (principal.ID, *jose.PublicKey, error)
	// await is lookup that waits for a newer snapshot, for a little more than a second, when the kid is unknown.
	await(ctx context.Context, kid string) (principal.ID, *jose.PublicKey, error)
	// vouch says whose the key called kid is that somebody proves to have, going by the identity token that came with the
	// proof, if trust rests on those. It waits for a newer snapshot, for a little more than a second, when a key is unknown. The
	// turnstile, which may be nil, is held around a signature.
	vouch(ctx context.Context, identityToken, kid string, turn turnstile.Turnstile) (bond, error)
	// close stops whatever keeps the snapshot fresh.
	close() error
}

// bond ties a key to the one workload that it belongs to.
type bond struct {
	id         principal.ID
	key        *jose.PublicKey
	expires    time.Time // zero means that the bond has no end of its own
	trust      lifeline
	generation uint64 // of trust, before the key was looked up, so that a change between the two is noticed
}

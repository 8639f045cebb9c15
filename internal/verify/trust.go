package verify

import (
	"context"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/turnstile"
	"github.com/parley-rpc/parley/principal"
)

// Validity says whether the key by which a peer was believed is still believed.
type Validity interface {
	// Holds reports whether the key still belongs to id.
	Holds(kid string, id principal.ID) bool
	// Generation counts the changes. The answers of Holds change only with it.
	Generation() uint64
}

// Trust says which key belongs to which workload. Its answers come from a snapshot and change only with its generation.
type Trust interface {
	Validity
	// Lookup returns the one ID that the key called kid belongs to, and the key. It never waits. ErrKeysUnavailable says
	// that there is no snapshot to ask.
	Lookup(kid string) (principal.ID, *jose.PublicKey, error)
	// Await is Lookup that waits for a newer snapshot, for a little more than a second, when the kid is unknown.
	Await(ctx context.Context, kid string) (principal.ID, *jose.PublicKey, error)
	// Vouch returns the workload that owns the key called kid, for a peer that proves to hold this key. Where trust rests
	// on identity tokens, it reads the owner from the one that came with the proof. When a key is unknown it waits a
	// little more than a second for a newer snapshot. It holds the turnstile, which may be nil, around each signature
	// check.
	Vouch(ctx context.Context, identityToken, kid string, turn turnstile.Turnstile) (KeyBinding, error)
	// Names reports whether the trust knows a key of a workload, or has a list of its own of the workloads of its trust
	// domain. It never waits. ErrKeysUnavailable says that there is no snapshot to ask.
	Names(id principal.ID) (bool, error)
	// Close stops whatever keeps the snapshot fresh.
	Close() error
}

// KeyBinding ties a key to the one workload that it belongs to.
type KeyBinding struct {
	ID         principal.ID
	Key        *jose.PublicKey
	Expires    time.Time // zero where the binding has no end of its own
	Validity   Validity
	Generation uint64 // of trust, before the key was looked up, so that a change between the two is noticed
}

package auth

import (
	"context"

	"github.com/parley-rpc/parley/internal/jose"
)

// keySource is a set of keys behind an [Issuer]. Its answers come from a snapshot and change only with its generation. It is
// safe for concurrent use.
type keySource interface {
	// lookup returns the key called kid. It never waits. errKeysUnavailable says that there is no snapshot to ask, or none
	// that is fresh enough.
	lookup(kid string) (*jose.PublicKey, error)
	// await is lookup that may wait for a newer snapshot, for a second at most, when the kid is unknown. It bounds by itself
	// how often that happens.
	await(ctx context.Context, kid string) (*jose.PublicKey, error)
	// holds tells whether kid still names this very key.
	holds(kid string, key *jose.PublicKey) bool
	// generation counts the changes.
	generation() uint64
}

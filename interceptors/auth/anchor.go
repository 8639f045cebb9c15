package auth

import (
	"context"

	"github.com/parley-rpc/parley/internal/jose"
)

// anchor says which key belongs to which workload. Its answers come from a snapshot and change only with its generation.
type anchor interface {
	// lookup returns the one ID that the key called kid belongs to, and the key. It never waits. errKeysUnavailable says
	// that there is no snapshot to ask.
	lookup(kid string) (ID, *jose.PublicKey, error)
	// await is lookup that waits for a newer snapshot, for a little more than a second, when the kid is unknown.
	await(ctx context.Context, kid string) (ID, *jose.PublicKey, error)
	// holds tells whether the key still belongs to id.
	holds(kid string, id ID) bool
	// generation counts the changes.
	generation() uint64
	// close stops whatever keeps the snapshot fresh.
	close() error
}

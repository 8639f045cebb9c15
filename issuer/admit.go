package issuer

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/issuer/store"
)

// admit notes the assertion of a proven client in the store, and refuses revoked clients and keys. The error is a
// refusal. Revocations are checked last, so that none that was confirmed before is missed.
func (s *State) admit(ctx context.Context, client, keyID, assertion string, now time.Time) error {
	if s == nil {
		return nil
	}
	err := s.records.Apply(ctx, store.Change{
		Kind: kindReplays, Name: replayName(client, assertion), Expires: now.Add(replayMemory),
	})
	if errors.Is(err, store.ErrConflict) {
		return badClient(fmt.Errorf("%s: the assertion was used before", quote.Text(client)))
	}
	if err == nil {
		err = s.refresh(ctx, stateInterval)
	}
	if err != nil {
		return unavailable(fmt.Errorf("the state: %w", err))
	}
	if s.revoked.has(client, keyID) {
		return badClient(fmt.Errorf("%s or its key %s is revoked", quote.Text(client), keyID))
	}
	return nil
}

// catchUp reads what other processes have changed. If that fails, the last reading stays in use.
func (s *State) catchUp(ctx context.Context) {
	if s == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, stateInterval)
	defer cancel()
	_ = s.refresh(ctx, stateInterval)
}

// replayName is the name of the record of a used assertion.
func replayName(client, assertion string) string {
	sum := sha256.Sum256([]byte(client + "\x00" + assertion))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

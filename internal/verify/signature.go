package verify

import (
	"context"
	"fmt"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/strictjson"
	"github.com/parley-rpc/parley/internal/turnstile"
)

// Signature holds the turnstile, which may be nil, around the signature alone.
func Signature(
	ctx context.Context,
	token *jose.Token,
	key *jose.PublicKey,
	turn turnstile.Turnstile,
) (*strictjson.Object, error) {
	if turn != nil {
		if err := turn.Enter(ctx, SignatureWait); err != nil {
			return nil, err
		}
		defer turn.Leave()
	}
	return token.Verify(key)
}

// RefusePanic is deferred where a credential is checked: no bytes of a peer may end the process.
func RefusePanic(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("auth: panic while a credential was checked: %v", r)
	}
}

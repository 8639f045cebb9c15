package verify

import (
	"context"
	"errors"
	"fmt"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/strictjson"
	"github.com/parley-rpc/parley/internal/turnstile"
)

// CheckSignature checks that key signed the token, and returns the claims. It holds the turnstile, which may be nil,
// around the check alone.
func CheckSignature(
	ctx context.Context,
	token *jose.Token,
	key *jose.PublicKey,
	turn turnstile.Turnstile,
) (*strictjson.Object, error) {
	if err := checkSignature(ctx, token, key, turn); err != nil {
		return nil, err
	}
	payload, err := token.Unproven()
	return payload.Claims, err
}

func checkSignature(ctx context.Context, token *jose.Token, key *jose.PublicKey, turn turnstile.Turnstile) error {
	if turn != nil {
		if err := turn.Enter(ctx, SignatureWait); err != nil {
			return err
		}
		defer turn.Leave()
	}
	return token.VerifySignature(key)
}

// checkAnySignature is checkSignature with the keys that may have signed a token, of which there are a few at most. It
// returns the one that did.
func checkAnySignature(
	ctx context.Context, token *jose.Token, keys []*jose.PublicKey, turn turnstile.Turnstile,
) (*jose.PublicKey, error) {
	var err error = jose.ReasonKeyID // without any key
	for _, key := range keys {
		if err = checkSignature(ctx, token, key, turn); !errors.Is(err, jose.ReasonSignature) {
			return key, err
		}
	}
	return nil, err
}

// RefusePanic is deferred where a credential is checked: no bytes of a peer may end the process.
func RefusePanic(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("auth: panic while a credential was checked: %v", r)
	}
}

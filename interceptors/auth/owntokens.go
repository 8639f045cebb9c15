package auth

import (
	"context"
	"sync"
	"time"
)

// ownTokens is the default [TokenSource] of a channel, whose workload signs for itself. Unlike [KeepTokens] it needs no
// closing: to sign takes no longer than to ask whether it is time to.
type ownTokens struct {
	signer *SelfSigned

	mu    sync.Mutex
	by    *core // whose key signed the token
	token Token
}

func newOwnTokens(i *Identity) *ownTokens { return &ownTokens{signer: i.SelfSignedTokens()} }

// Token returns the token in use, or a new one when that is old or the workload has another key.
func (o *ownTokens) Token(ctx context.Context, audience ID) (Token, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	by := o.signer.identity.ready.Load()
	if by != nil && by == o.by && time.Until(o.token.Expires) > selfSignedTokenLife/4 {
		return o.token, nil
	}
	return o.sign(ctx, audience, by)
}

// Refresh signs a new token unless that has been done meanwhile.
func (o *ownTokens) Refresh(ctx context.Context, audience ID, expired Token) (Token, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.by != nil && o.token.Value != expired.Value {
		return o.token, nil
	}
	return o.sign(ctx, audience, o.signer.identity.ready.Load())
}

// sign runs with the lock held.
func (o *ownTokens) sign(ctx context.Context, audience ID, by *core) (Token, error) {
	token, err := o.signer.Token(ctx, audience)
	if err != nil {
		return Token{}, err
	}
	o.by, o.token = by, token
	return token, nil
}

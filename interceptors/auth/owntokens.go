package auth

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/interceptors/auth/tokens"
	"github.com/parley-rpc/parley/principal"
)

// ownTokens is the default [tokens.Source] of a channel, whose workload signs for itself. Unlike [tokens.Keep] it needs
// no closing: to sign takes no longer than to ask whether it is time to.
type ownTokens struct {
	signer  *SelfSigned
	current atomic.Pointer[ownToken]
	signing sync.Mutex
}

type ownToken struct {
	by    *ownCredentials // whose key signed it
	token tokens.Token
}

func newOwnTokens(i *workload) *ownTokens { return &ownTokens{signer: i.SelfSignedTokens()} }

// Token returns the token in use, or a new one when that is old or the workload has another key.
func (o *ownTokens) Token(ctx context.Context, audience principal.ID) (tokens.Token, error) {
	if t := o.current.Load(); o.serves(t) {
		return t.token, nil
	}
	o.signing.Lock()
	defer o.signing.Unlock()
	if t := o.current.Load(); o.serves(t) {
		return t.token, nil
	}
	return o.sign(ctx, audience)
}

// Refresh signs a new token, unless another goroutine has signed one since.
func (o *ownTokens) Refresh(ctx context.Context, audience principal.ID, expired tokens.Token) (tokens.Token, error) {
	o.signing.Lock()
	defer o.signing.Unlock()
	if t := o.current.Load(); t != nil && t.token.Value != expired.Value {
		return t.token, nil
	}
	return o.sign(ctx, audience)
}

// serves reports whether a token is by the key in use, and has a quarter of its life left.
func (o *ownTokens) serves(t *ownToken) bool {
	return t != nil && t.by == o.signer.identity.ready.Load() && time.Until(t.token.Expires) > selfSignedTokenLife/4
}

// sign runs with the lock held.
func (o *ownTokens) sign(ctx context.Context, audience principal.ID) (tokens.Token, error) {
	by := o.signer.identity.ready.Load()
	token, err := o.signer.Token(ctx, audience)
	if err != nil {
		return tokens.Token{}, err
	}
	if by != nil {
		o.current.Store(&ownToken{by, token})
	}
	return token, nil
}

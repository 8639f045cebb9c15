package auth

import (
	"context"
	"errors"
	"time"

	"github.com/parley-rpc/parley/internal/turnstile"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/principal"
)

// errOwnTokenExpired says that the workload's own identity token has expired and that there is no other.
var errOwnTokenExpired = errors.New("auth: the own identity token has expired, and its source has no other")

// hello makes the body of a hello frame that proves the identity.
func (c *core) hello(ctx context.Context, self principal.ID, p wire.Proof, turn turnstile.Turnstile) ([]byte, error) {
	if turn != nil {
		if err := turn.Enter(ctx, verify.SignatureWait); err != nil {
			return nil, err
		}
		defer turn.Leave()
	}
	now := time.Now()
	if c.expired(now) {
		return nil, errOwnTokenExpired
	}
	p.IdentityHash = wire.HashOfToken(c.token)
	signed, err := p.Sign(c.key, self, now)
	if err != nil {
		return nil, err
	}
	return wire.AppendHello(nil, wire.Hello{Token: c.token, Proof: signed})
}

// expired tells whether the own identity token has expired, with which nothing can be proven any more.
func (c *core) expired(now time.Time) bool { return !c.expires.IsZero() && !now.Before(c.expires) }

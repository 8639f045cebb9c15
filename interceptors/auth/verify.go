package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/turnstile"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// errKeysUnavailable says that a credential could not be checked, which says nothing about the credential.
var errKeysUnavailable = errors.New("auth: no keys to check it with")

// lacksKeys reports whether err says that a credential could not be checked, by its issuer's key set or otherwise.
func lacksKeys(err error) bool {
	return errors.Is(err, errKeysUnavailable) || errors.Is(err, keyset.ErrUnavailable)
}

// proven is who signed something. Until the signature was found to hold, there is no ID.
type proven struct {
	id         principal.ID
	keyID      string
	expires    time.Time // of the identity token; zero without one
	trust      lifeline
	generation uint64
}

// checkSignature holds the turnstile, which may be nil, around the signature alone.
func checkSignature(ctx context.Context, token *jose.Token, key *jose.PublicKey, turn turnstile.Turnstile) (*jose.Claims, error) {
	if turn != nil {
		if err := turn.Enter(ctx, signatureWait); err != nil {
			return nil, err
		}
		defer turn.Leave()
	}
	return token.Verify(key)
}

// refusePanic is deferred by whoever checks a credential: whatever a peer sends, it must not end the process.
func refusePanic(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("auth: panic while a credential was checked: %v", r)
	}
}

// verifyHello checks what a hello frame proves against what it must prove.
func (c *core) verifyHello(ctx context.Context, body []byte, want wire.Proof, turn turnstile.Turnstile) (p proven, err error) {
	defer refusePanic(&err)
	h, err := wire.ParseHello(body)
	if err != nil {
		return p, err
	}
	token, err := jose.Parse(h.Proof, want.Type)
	if err != nil {
		return p, err
	}
	p = proven{keyID: token.KeyID(), generation: c.trust.generation()}
	b, err := c.trust.vouch(ctx, h.Token, p.keyID, turn)
	if err != nil {
		return p, err
	}
	p.expires, p.trust, p.generation = b.expires, b.trust, b.generation
	claims, err := checkSignature(ctx, token, b.key, turn)
	if err != nil {
		return p, err
	}
	p.id = b.id
	want.IdentityHash = wire.HashOfToken(h.Token)
	return p, want.Check(claims, b.id, time.Now())
}

// hello makes the body of a hello frame that proves the identity.
func (c *core) hello(ctx context.Context, self principal.ID, p wire.Proof, turn turnstile.Turnstile) ([]byte, error) {
	if turn != nil {
		if err := turn.Enter(ctx, signatureWait); err != nil {
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

// callerRefusal is what a server makes of a credential that did not pass.
func callerRefusal(err error) *rpcerr.Error {
	switch {
	case lacksKeys(err):
		return refuse(rpcerr.KeysUnavailable, err)
	case errors.Is(err, turnstile.ErrOverloaded):
		return refuse(rpcerr.AuthOverloaded, err)
	case errors.Is(err, wire.ErrExpired):
		return refuse(rpcerr.CredentialsExpired, err)
	case errors.Is(err, wire.ErrNotYetValid):
		return refuse(rpcerr.CredentialsNotYetValid, err)
	default:
		return refuse(rpcerr.CredentialsInvalid, err)
	}
}

// serverRefusal is what a client makes of a server's proof that did not pass.
func serverRefusal(err error) *rpcerr.Error {
	switch {
	case lacksKeys(err):
		return refuse(rpcerr.KeysUnavailable, err)
	case errors.Is(err, wire.ErrFrame):
		return refuse(rpcerr.ServerProofMissing, err)
	default:
		return refuse(rpcerr.ServerProofInvalid, err)
	}
}

// errOwnTokenExpired says that the workload's own identity token has expired and that there is no other.
var errOwnTokenExpired = errors.New("auth: the own identity token has expired, and its source has no other")

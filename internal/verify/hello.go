package verify

import (
	"context"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/turnstile"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/principal"
)

// Proven is the workload that signed a proof. The ID is zero until the signature is found to hold.
type Proven struct {
	ID         principal.ID
	KeyID      string
	Expires    time.Time // of the identity token; zero without one
	Validity   Validity
	Generation uint64
}

// Hello checks that a hello frame holds the wanted proof, and returns the workload that signed it. The turnstile, which
// may be nil, is held around each signature check.
func Hello(ctx context.Context, t Trust, body []byte, want wire.Proof, turn turnstile.Turnstile) (p Proven, err error) {
	defer RefusePanic(&err)
	h, err := wire.ParseHello(body)
	if err != nil {
		return p, err
	}
	token, err := jose.Parse(h.Proof, want.Type)
	if err != nil {
		return p, err
	}
	p = Proven{KeyID: token.KeyID(), Generation: t.Generation()}
	b, err := t.Vouch(ctx, h.Token, p.KeyID, turn)
	if err != nil {
		return p, err
	}
	p.Expires, p.Validity, p.Generation = b.Expires, b.Validity, b.Generation
	claims, err := CheckSignature(ctx, token, b.Key, turn)
	if err != nil {
		return p, err
	}
	p.ID = b.ID
	want.IdentityHash = wire.HashOfToken(h.Token)
	return p, want.Check(claims, b.ID, time.Now())
}

package auth

import (
	"context"
	"errors"
	"time"

	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// newBearerVerifier returns what checks the bearer tokens of workloads: those that a workload signed for itself with
// its key of the identity's trust, and those of the issuers.
func (g *Gate) newBearerVerifier(accept func(*verify.Token) error) (*verify.Verifier, error) {
	own := &verify.Profile{Keys: verify.WorkloadKeys(g.identity.currentTrust)}
	own.Default(g.identity.self)
	v, err := g.newVerifier(own, g.config.issuers, accept)
	return v, errors.Join(err, checkPrincipals(g.config.issuers, g.config.userIssuers, g.identity))
}

// newVerifier returns the verifier of the tokens of issuers. The error joins every mistake in them.
func (g *Gate) newVerifier(
	own *verify.Profile,
	issuers []Issuer,
	accept func(*verify.Token) error,
) (*verify.Verifier, error) {
	var profiles []*verify.Profile
	var errs []error
	for _, issuer := range issuers {
		p, err := issuer.profile(g.identity.self)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		profiles = append(profiles, p)
	}
	v, err := verify.New(own, profiles, g.turn, verify.NewCache(g.identity.auditClock), accept)
	return v, errors.Join(append(errs, err)...)
}

// readBearer reads the one bearer token among the values of the authorization key. Its error is a refusal, and comes
// with the token where that was good once.
func (g *Gate) readBearer(ctx context.Context, values []string, now time.Time) (*verify.Token, error) {
	compact, err := wire.BearerToken(values)
	if err != nil {
		return nil, refuse(rpcerr.CredentialsInvalid, err)
	}
	if g.configErr != nil {
		return nil, refuse(rpcerr.ConfigurationInvalid, g.configErr)
	}
	t, err := g.bearer.Verify(ctx, compact, now)
	switch {
	case errors.Is(err, wire.ErrExpired) && now.Sub(t.Expires) < expiredProofAge:
		return t, verify.CallerRefusal(err)
	case err != nil:
		return nil, verify.CallerRefusal(g.places().misplacedBearer(compact, err))
	}
	if err := g.identity.checkForeign(t); err != nil {
		return nil, verify.CallerRefusal(err)
	}
	return t, nil
}

// acceptBearer makes a peer of a token.
func (g *Gate) acceptBearer(t *verify.Token) error {
	err := g.identity.checkDomain(t)
	if err != nil {
		return err
	}
	t.Peer = &principal.Peer{
		ID: t.Workload, Carrier: principal.CarrierToken, KeyID: t.KeyID, Expires: t.Expires, Audiences: t.Audiences(),
		Claims: principal.ClaimsOf(t.Claims),
	}
	t.Peer.Scopes, err = t.Scopes()
	return err
}

package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/rpcerr"
)

const (
	authorizationKey = "authorization"
	bearerScheme     = "Bearer"
	// accessTokenType is the type of a bearer token (RFC 9068).
	accessTokenType = "at+jwt"
)

// readBearer reads the one bearer token among the values of the authorization key. Its error is a refusal.
func (g *Gate) readBearer(ctx context.Context, values []string) (*Peer, error) {
	compact, err := bearerToken(values)
	if err != nil {
		return nil, refuse(rpcerr.CredentialsInvalid, err)
	}
	keys, err := g.identity.usable(ctx)
	if err != nil {
		return nil, refuse(rpcerr.KeysUnavailable, err)
	}
	p, err := g.verifyBearer(ctx, keys, compact)
	if err != nil {
		return nil, callerRefusal(err)
	}
	return p, nil
}

// bearerToken cuts the scheme off, which is all that there may be beside the token (RFC 6750 section 2.1).
func bearerToken(values []string) (string, error) {
	if len(values) != 1 {
		return "", fmt.Errorf("%d authorization values instead of one", len(values))
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	if !ok || !strings.EqualFold(scheme, bearerScheme) || token == "" {
		return "", errors.New("the authorization is not a scheme Bearer, one space and a token")
	}
	return token, nil
}

// verifyBearer checks a token completely. What it returns depends on nothing but the token, the trust and the time, and
// holds until the time in it or the next change of trust.
func (g *Gate) verifyBearer(ctx context.Context, keys *core, compact string) (p *Peer, err error) {
	defer refusePanic(&err)
	token, err := jose.Parse(compact, accessTokenType)
	if err != nil {
		return nil, err
	}
	owner, key, err := keys.trust.lookup(token.KeyID())
	if err != nil {
		return nil, err
	}
	claims, err := checkSignature(ctx, token, key, g.turn)
	if err != nil {
		return nil, err
	}
	if err := g.checkBearer(claims, owner, time.Now()); err != nil {
		return nil, err
	}
	expires, _, err := claims.NumericDate(claimExpires)
	if err != nil {
		return nil, err
	}
	p = &Peer{ID: owner, Carrier: policy.CarrierToken, KeyID: token.KeyID(), Expires: expires}
	if scope, ok := claims.String(claimScope); ok {
		p.Scopes = strings.Fields(scope)
	}
	return p, nil
}

// checkBearer checks the claims of a token that the workload owner has signed for itself. Times come last, see proof.check.
func (g *Gate) checkBearer(claims *jose.Claims, owner ID, now time.Time) error {
	if err := checkOwner(claims, owner); err != nil {
		return err
	}
	if !g.identity.accepts(owner.TrustDomain()) {
		return errors.New("its trust domain is not accepted")
	}
	if audience, ok := claims.Strings(claimAudience); !ok || len(audience) != 1 || audience[0] != g.identity.self.String() {
		return errors.New("aud is not exactly this server")
	}
	if id, ok := claims.String(claimTokenID); !ok || id == "" {
		return errors.New("jti is missing")
	}
	if claims.Has(claimScope) {
		scope, ok := claims.String(claimScope)
		if !ok || checkScopes(strings.Split(scope, " ")) != nil {
			return errors.New("scope is not a list of scopes")
		}
	}
	if err := checkTimes(claims, maxTokenLifetime, now); err != nil {
		return err
	}
	switch from, ok, err := claims.NumericDate(claimNotBefore); {
	case err != nil:
		return err
	case ok && from.After(now.Add(clockSkew)):
		return errNotYetValid
	}
	return nil
}

package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/principal"
)

// Token signs a bearer token with which tools such as grpcurl call audience in the name of this workload, over a server
// port that was opened with [WithBearer]. It carries the scopes given, which may be none, and is valid from now on for
// lifetime, at most 1 hour. Anyone with this token can impersonate this workload at that server, so keep it out of logs
// and shell histories.
func (i *workload) Token(audience principal.ID, scopes []string, lifetime time.Duration) (string, error) {
	switch {
	case audience.IsZero():
		return "", errors.New("auth: Token: the audience is no ID; name the server that will be called")
	case lifetime < time.Second || lifetime > verify.MaxTokenLifetime:
		return "", fmt.Errorf("auth: Token: a lifetime of %v; it must be between 1s and %v", lifetime, verify.MaxTokenLifetime)
	}
	if len(scopes) > 0 {
		if err := jose.CheckScopes(scopes); err != nil {
			return "", fmt.Errorf("auth: Token: %w", err)
		}
	}
	keys, err := i.usable(context.Background())
	if err != nil {
		return "", err
	}
	now, self := time.Now(), i.self.String()
	var b jose.ClaimsBuilder
	b.String(wire.ClaimIssuer, self).String(wire.ClaimSubject, self).String(wire.ClaimAudience, audience.String())
	b.NumericDate(wire.ClaimIssuedAt, now).NumericDate(wire.ClaimExpires, now.Add(lifetime)).String(wire.ClaimTokenID, rand.Text())
	if len(scopes) > 0 {
		b.String(wire.ClaimScope, strings.Join(scopes, " "))
	}
	claims, err := b.Claims()
	if err != nil {
		return "", fmt.Errorf("auth: Token: %w", err)
	}
	return keys.key.Sign(jose.TypeAccess, claims)
}

// ClientAssertion signs the token by which this workload authenticates to an issuer once (private_key_jwt, RFC 7523):
// of type client-authentication+jwt, with iss = sub = client, aud = the issuer alone, a jti, and a life of 60 seconds.
// Client is the client ID of the workload at the issuer. "" means the ID of the workload, which Parley's issuer uses.
func (i *workload) ClientAssertion(ctx context.Context, client, issuer string) (string, error) {
	keys, err := i.usable(ctx)
	if err != nil {
		return "", err
	}
	if client == "" {
		client = i.self.String()
	}
	now := time.Now()
	var b jose.ClaimsBuilder
	b.String(wire.ClaimIssuer, client).String(wire.ClaimSubject, client).String(wire.ClaimAudience, issuer)
	b.NumericDate(wire.ClaimIssuedAt, now).NumericDate(wire.ClaimExpires, now.Add(assertionLifetime)).String(wire.ClaimTokenID, rand.Text())
	claims, err := b.Claims()
	if err != nil {
		return "", fmt.Errorf("auth: ClientAssertion: %w", err)
	}
	return keys.key.Sign(jose.TypeAssertion, claims)
}

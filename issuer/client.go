package issuer

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/principal"
)

// Client is the registration of a service: its keys, and the tokens that it may get. Fields that are not set grant
// nothing.
type Client struct {
	// ID is the ID of the service, spiffe://<trust domain>/<service>. It is the iss and sub of its assertions, and the sub
	// of its tokens. Required.
	ID string
	// JWKS is the JSON Web Key Set (RFC 7517 section 5) with its public keys, Ed25519 or P-256. Replicas may have separate
	// keys. The kid of a key, if there is one, must be its thumbprint (RFC 7638). Required.
	JWKS []byte
	// Own is the grant for tokens in its own name.
	Own Grant
	// Users is the grant for tokens in the name of users, for whose access tokens they are exchanged. With the trust
	// domain as an audience, the service may get transaction tokens.
	Users Grant
	// Identity grants workload identity tokens for its keys, see [WithIdentities].
	Identity bool
	// Claims are additional claims of the access tokens in its own name. Each value is a string, bool, int or []string.
	// Names consist of A-Z a-z 0-9 _ . : / - and must not be names with a meaning in this package.
	Claims map[string]any
}

// Grant lists the audiences and scopes that may be requested. They are compared byte for byte.
type Grant struct {
	// Audiences are the allowed audiences. Each token has one of them.
	Audiences []string
	// Scopes are the allowed scopes. A token has all of them, unless fewer are requested.
	Scopes []string
}

// Check returns every mistake in the registration, joined.
func (c Client) Check() error {
	var errs []error
	wrong := func(err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("issuer: client %s: %w", quote.Text(c.ID), err))
		}
	}
	wrong(checkID(c.ID))
	_, err := c.keys()
	wrong(err)
	wrong(c.Own.check("Own"))
	wrong(c.Users.check("Users"))
	wrong(checkClaims(c.Claims))
	return errors.Join(errs...)
}

func (g Grant) check(name string) error {
	var errs []error
	if len(g.Audiences) == 0 && len(g.Scopes) > 0 {
		errs = append(
			errs, fmt.Errorf("%s grants scopes and no audience; a token always has an audience, so name an audience", name),
		)
	}
	for _, audience := range g.Audiences {
		if !printable(audience) || strings.Contains(audience, "*") {
			errs = append(errs, fmt.Errorf("%s: audience %s is empty, too long, not printable or a wildcard; name each audience",
				name, quote.Text(audience)))
		}
	}
	for _, scope := range g.Scopes {
		if !isScope(scope) {
			errs = append(
				errs,
				fmt.Errorf(
					"%s: %s is no scope (RFC 6749 section 3.3); use printable ASCII without spaces, quotes and backslashes", name,
					quote.Text(scope),
				),
			)
		}
	}
	return errors.Join(errs...)
}

// keys returns the public keys of the client by their key IDs. An invalid key is an error, so that it is not ignored
// silently.
func (c Client) keys() (map[string]*jose.PublicKey, error) {
	list, err := jose.SplitKeySet(c.JWKS, maxClientKeys)
	if err != nil {
		return nil, fmt.Errorf("JWKS: %w", err)
	}
	if len(list) == 0 {
		return nil, errors.New("JWKS: there is no key, so that the client could not log in; add its public key")
	}
	keys := make(map[string]*jose.PublicKey, len(list))
	for n, jwk := range list {
		key, err := jose.ParsePublicKey(jwk)
		if err != nil {
			return nil, fmt.Errorf("JWKS: key %d: %w", n+1, err)
		}
		keys[key.KeyID()] = key
	}
	return keys, nil
}

// key returns the client's public key with this kid. It does not parse keys with another kid.
func (c Client) key(kid string) (*jose.PublicKey, error) {
	list, err := jose.SplitKeySet(c.JWKS, maxClientKeys)
	if err != nil {
		return nil, err
	}
	for _, jwk := range list {
		if stated := jose.KeyIDOf(jwk); stated != "" && stated != kid {
			continue
		}
		if key, err := jose.ParsePublicKey(jwk); err == nil && key.KeyID() == kid {
			return key, nil
		}
	}
	return nil, errors.New("the client has no key of that kid")
}

// ownClaims are the names that have a meaning in the token formats or for verifiers.
var ownClaims = []string{
	"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "scope", "cnf", "act", "may_act", "txn", "req_wl",
	"tctx", "rctx",
}

// checkClaims returns every mistake in additional claims, including the errors of their encoder.
func checkClaims(claims map[string]any) error {
	var errs []error
	for name := range claims {
		if slices.ContainsFunc(ownClaims, func(own string) bool { return strings.EqualFold(own, name) }) {
			errs = append(errs, fmt.Errorf("claim %s is the issuer's own; choose another name", quote.Text(name)))
		}
	}
	var b jose.ClaimsBuilder
	errs = append(errs, addClaims(&b, claims))
	_, err := b.Claims()
	return errors.Join(append(errs, err)...)
}

// addClaims writes additional claims, sorted by name. The builder refuses every name and value that could be read as
// more than one claim.
func addClaims(b *jose.ClaimsBuilder, claims map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		switch value := claims[name].(type) {
		case string:
			b.String(name, value)
		case bool:
			b.Bool(name, value)
		case int:
			b.Integer(name, int64(value))
		case []string:
			b.Strings(name, value...)
		default:
			return fmt.Errorf("claim %s is a %T; use a string, bool, int or []string", quote.Text(name), value)
		}
	}
	return nil
}

// checkID returns the mistake in the ID of a service, or nil.
func checkID(id string) error {
	if len(id) > maxName {
		return fmt.Errorf("the ID is longer than %d bytes; shorten it", maxName)
	}
	if _, err := principal.ParseID(id); err != nil {
		return fmt.Errorf("the ID is not of the form spiffe://<trust domain>/<service>: %w", err)
	}
	return nil
}

// isScope checks the alphabet of a scope (RFC 6749 section 3.3).
func isScope(scope string) bool { return printable(scope) && !strings.ContainsAny(scope, `"\`) }

// printable reports whether a name consists of printable ASCII characters without spaces.
func printable(name string) bool {
	other := func(r rune) bool { return r <= ' ' || r > '~' }
	return name != "" && len(name) <= maxName && !strings.ContainsFunc(name, other)
}

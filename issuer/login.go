package issuer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/parley-rpc/parley/internal/httpdoc"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/turnstile"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/principal"
)

// Login is the service at which people log in, whose access tokens are exchanged: any OpenID provider. An issuer takes the
// word of one, so that a user is one person by his or her sub alone.
type Login struct {
	// Name is what its tokens state as iss, byte for byte. Required.
	Name string
	// JWKS is its key set, where that never changes. Either this or JWKSURL is required.
	JWKS []byte
	// JWKSURL is where its key set is fetched, over HTTPS, and kept fresh as keyset.URL does.
	JWKSURL string
	// Types are the types (the JOSE header's typ) of its access tokens. Default: at+jwt. Whoever adds "JWT" takes ID tokens, too,
	// where their audience allows it.
	Types []string
	// Audiences are those for whom a user's token may be meant; its aud must be one of them. The default is the client that
	// asks: a service exchanges the tokens that were meant for it, and no others.
	Audiences []string
}

func (l Login) check(client *httpdoc.Client) error {
	var errs []error
	wrong := func(wrong bool, problem string) {
		if wrong {
			errs = append(errs, fmt.Errorf("issuer: WithLogin: %s: %s", quote(l.Name), problem))
		}
	}
	wrong(l.Name == "", "it has no Name; state the iss of its tokens, byte for byte")
	wrong((l.JWKS == nil) == (l.JWKSURL == ""), "it needs JWKS or JWKSURL, and not both")
	wrong(slices.ContainsFunc(l.Types, jose.NeverBearer), "Types names a type that is no access token's; leave it out for at+jwt")
	wrong(l.Types != nil && len(l.Types) == 0, "Types is empty; leave it out for at+jwt")
	wrong(l.Audiences != nil && len(l.Audiences) == 0 || slices.Contains(l.Audiences, ""), "Audiences is empty or holds an empty name; leave it out for the client that asks")
	if l.JWKSURL != "" {
		if err := client.CheckURL(l.JWKSURL); err != nil {
			errs = append(errs, fmt.Errorf("issuer: WithLogin: %s: JWKSURL: %w", quote(l.Name), err))
		}
	}
	return errors.Join(errs...)
}

// users is a Login that was checked, and its keys.
type users struct {
	Login
	keys *keyset.Set
	turn turnstile.Turnstile
}

func newUsers(l Login, c *config, turn turnstile.Turnstile) (*users, error) {
	client := httpdoc.New(httpdoc.Options{Transport: c.transport, Loopback: c.loopback})
	if err := l.check(client); err != nil {
		return nil, err
	}
	if l.Types == nil {
		l.Types = []string{jose.TypeAccess}
	}
	u := &users{Login: l, turn: turn}
	if l.JWKSURL == "" {
		u.keys = keyset.Static(l.JWKS, keyset.WithLogger(c.logger))
	} else {
		options := []keyset.Option{keyset.WithLogger(c.logger), keyset.WithRoundTripper(c.transport)}
		if c.loopback {
			options = append(options, keyset.WithLoopbackHTTP())
		}
		u.keys = keyset.URL(l.JWKSURL, options...)
	}
	if err := u.keys.Err(); err != nil {
		return nil, fmt.Errorf("issuer: WithLogin: %s: %w", quote(l.Name), err)
	}
	return u, nil
}

// user is whom a user's token is about, and how far it goes.
type user struct {
	subject string
	scopes  []string
	expires time.Time
}

// verify checks a user's token that a client has sent, as interceptors/auth checks it. The error is a refusal.
func (u *users) verify(ctx context.Context, compact, client string) (user, error) {
	token, err := jose.Parse(compact, u.Types...)
	if err != nil {
		return user{}, badSubject(err)
	}
	key, err := u.keys.Await(ctx, token.KeyID())
	if errors.Is(err, keyset.ErrUnavailable) {
		return user{}, unavailable(fmt.Errorf("keys of %s: %w", quote(u.Name), err))
	}
	if err != nil {
		return user{}, badSubject(err)
	}
	claims, err := checkSignature(ctx, u.turn, token, key)
	if errors.Is(err, turnstile.ErrOverloaded) {
		return user{}, unavailable(err)
	}
	if err != nil {
		return user{}, badSubject(err)
	}
	audiences := u.Audiences
	if audiences == nil {
		audiences = []string{client}
	}
	found, err := readUser(claims, u.Name, audiences, time.Now())
	if err != nil {
		return user{}, badSubject(err)
	}
	return found, nil
}

func readUser(claims *jose.Claims, issuer string, audiences []string, now time.Time) (user, error) {
	text := func(name string) string { value, _ := claims.String(name); return value }
	audience, _ := claims.Strings("aud")
	u := user{subject: text("sub")}
	switch {
	case text("iss") != issuer:
		return u, errors.New("iss is not the login service")
	case len(audience) != 1 || !slices.Contains(audiences, audience[0]):
		return u, errors.New("aud is not the client that asks")
	case u.subject == "" || len(u.subject) > maxName:
		return u, errors.New("sub is missing or too long")
	case strings.HasPrefix(u.subject, principal.Scheme):
		return u, errors.New("sub is a workload and no user")
	case text("jti") == "":
		return u, errors.New("jti is missing")
	}
	if claims.Has("scope") {
		u.scopes = strings.Split(text("scope"), " ")
		if slices.ContainsFunc(u.scopes, func(s string) bool { return !isScope(s) }) {
			return u, errors.New("scope is no list of scopes")
		}
	}
	var err error
	if u.expires, err = checkTimes(claims, maxTokenLife, now); err != nil {
		return u, err
	}
	if u.expires.Sub(now) < minLife {
		return u, errors.New("it ends now") // and no token may be made that ends later
	}
	return u, nil
}

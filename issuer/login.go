package issuer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/parley-rpc/parley/internal/httpdoc"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/internal/turnstile"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/profile"
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
	// Audiences are those for whom a user's token may be meant; its aud must be one of them. The default is the client that
	// asks: a service exchanges the tokens that were meant for it, and no others.
	Audiences []string
	// Profile is what its access tokens look like, such as profile.Of(profile.Okta). Default: access tokens of RFC 9068,
	// with a jti, one audience and an hour to live at most. With the type "JWT" it may take ID tokens, too, where their
	// audience allows it.
	Profile profile.Profile
}

func (l Login) check(client *httpdoc.Client) error {
	var errs []error
	wrong := func(wrong bool, problem string) {
		if wrong {
			errs = append(errs, fmt.Errorf("issuer: WithLogin: %s: %s", quote.Text(l.Name), problem))
		}
	}
	wrong(l.Name == "", "it has no Name; state the iss of its tokens, byte for byte")
	wrong((l.JWKS == nil) == (l.JWKSURL == ""), "it needs JWKS or JWKSURL, and not both; state one of them")
	wrong(l.Audiences != nil && len(l.Audiences) == 0 || slices.Contains(l.Audiences, ""), "Audiences is empty or holds an empty name; leave it out for the client that asks")
	if err := l.Profile.Check(); err != nil {
		errs = append(errs, fmt.Errorf("issuer: WithLogin: %s: %w", quote.Text(l.Name), err))
	}
	if l.JWKSURL != "" {
		if err := client.CheckURL(l.JWKSURL); err != nil {
			errs = append(errs, fmt.Errorf("issuer: WithLogin: %s: JWKSURL: %w", quote.Text(l.Name), err))
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
	l.Profile = l.Profile.WithDefaults()
	u := &users{Login: l, turn: turn}
	options := []keyset.Option{keyset.WithLogger(c.logger), keyset.WithUses(l.Profile.KeyUses...)}
	if l.Profile.Algorithms != nil {
		options = append(options, keyset.WithAlgorithms(l.Profile.Algorithms...))
	}
	if l.JWKSURL == "" {
		u.keys = keyset.Static(l.JWKS, options...)
	} else {
		options = append(options, keyset.WithRoundTripper(c.transport))
		if c.loopback {
			options = append(options, keyset.WithLoopbackHTTP())
		}
		u.keys = keyset.URL(l.JWKSURL, options...)
	}
	if err := u.keys.Err(); err != nil {
		return nil, fmt.Errorf("issuer: WithLogin: %s: %w", quote.Text(l.Name), err)
	}
	return u, nil
}

// user is whom a user's token is about, and how far it goes.
type user struct {
	subject string
	scopes  []string
	expires time.Time
}

// verify checks a user's token that a client has sent. The error is a refusal.
func (u *users) verify(ctx context.Context, compact, client string) (user, error) {
	p := u.profile(client)
	token, err := jose.ParseForm(compact, p.Form())
	if err != nil {
		return user{}, badSubject(err)
	}
	t, err := verify.CheckToken(ctx, p, token, compact, u.turn)
	switch {
	case errors.Is(err, keyset.ErrUnavailable):
		return user{}, unavailable(fmt.Errorf("keys of %s: %w", quote.Text(u.Name), err))
	case errors.Is(err, turnstile.ErrOverloaded):
		return user{}, unavailable(err)
	case err != nil:
		return user{}, badSubject(err)
	}
	found, err := readUser(t, time.Now())
	if err != nil {
		return user{}, badSubject(err)
	}
	return found, nil
}

// profile is what a user's token looks like that a client may exchange.
func (u *users) profile(client string) *verify.Profile {
	audiences := u.Audiences
	if audiences == nil {
		audiences = []string{client}
	}
	return &verify.Profile{Profile: u.Profile, Name: u.Name, Keys: verify.IssuerKeys(u.keys), Audiences: audiences}
}

func readUser(t *verify.Token, now time.Time) (user, error) {
	scopes, err := t.Scopes()
	switch {
	case len(t.Subject) > maxName:
		return user{}, errors.New("sub is too long")
	case verify.CheckUser(t) != nil:
		return user{}, verify.CheckUser(t)
	case err != nil:
		return user{}, err
	case t.Expires.Sub(now) < minLife:
		return user{}, errors.New("it ends now") // and no token may be made that ends later
	}
	return user{subject: t.Subject, scopes: scopes, expires: t.Expires}, nil
}

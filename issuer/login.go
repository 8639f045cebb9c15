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

// Login is the login service of users, which can be any OpenID provider. The issuer exchanges its access tokens. An
// issuer accepts only one login service, so that the sub identifies a user.
type Login struct {
	// Name is the iss of its tokens, byte for byte. Required.
	Name string
	// JWKS is its key set, if the key set never changes. Either JWKS or JWKSURL is required.
	JWKS []byte
	// JWKSURL is the https URL of its key set, which is kept fresh as by keyset.URL.
	JWKSURL string
	// KeyOptions are the options of keyset.URL for fetching JWKSURL, such as keyset.WithCAFile, keyset.WithProxy or
	// keyset.WithBearerTokenFile. Algorithms and uses of the keys are those of Profile. Default: none.
	KeyOptions []keyset.Option
	// Audiences are the accepted audiences of a user's token. The default is the client itself: a service can exchange
	// only tokens that were issued for it.
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
	wrong(len(l.KeyOptions) > 0 && l.JWKSURL == "", "KeyOptions are for fetching JWKSURL, which is not set; leave out")
	wrong(
		l.Audiences != nil && len(l.Audiences) == 0 || slices.Contains(l.Audiences, ""),
		"Audiences is empty or holds an empty name; leave it out for the client that asks",
	)
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

// users is a checked Login, and its keys.
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
		options = append(options, l.KeyOptions...)
		if c.transport != nil {
			options = append(options, keyset.WithRoundTripper(c.transport))
		}
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

// user is the user of a verified token, and the limits of the token.
type user struct {
	subject string
	scopes  []string
	expires time.Time
}

// verify verifies a user's token. The error is a refusal.
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

// profile returns the profile of the users' tokens that a client may exchange.
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
		return user{}, errors.New("it ends now") // a new token must not end later
	}
	return user{subject: t.Subject, scopes: scopes, expires: t.Expires}, nil
}

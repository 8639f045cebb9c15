package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/parley-rpc/parley/interceptors/auth/tokens"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/internal/stated"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/principal"
)

// IdentityIssuer is an issuer of workload identity tokens, which bind a workload's key to its ID. It vouches only for
// its own trust domains, and each trust domain has exactly one issuer.
type IdentityIssuer struct {
	// Name is the iss of its tokens, byte for byte. Its tokens may omit iss.
	Name string
	// Keys are the keys with which it signs. The identity does not close them.
	Keys *keyset.Set
	// Domains are the trust domains that it vouches for.
	Domains []principal.TrustDomain
}

// String names the issuer and its trust domains.
func (is IdentityIssuer) String() string { return fmt.Sprintf("%s for %v", is.Name, is.Domains) }

// issued is what an Identity has that rests on issuers.
type issued struct {
	source tokens.Source
	tokens *tokens.Keeper // in front of it
	own    bool           // the cache was made here, and is closed here
	list   []IdentityIssuer
}

func (is *issued) check(i *workload) []error {
	var errs []error
	wrong := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, stated.Within("auth: Issued", stated.New(format, args...)))
		}
	}
	wrong(is.source == nil, "there is no source of identity tokens; name one, such as tokens.File")
	wrong(
		i.config.keyFile == "" && i.config.signer == nil,
		"the private key is nowhere; name it in |WithKeyFile| or |WithSigner|",
	)
	wrong(i.config.enroll, "|WithEnroll| is for a trust directory; an issuer enrolls its workloads itself")
	vouched := map[principal.TrustDomain]string{}
	for n, issuer := range is.list {
		wrong(issuer.Name == "", "issuer %d has no |Name|; state the iss of its tokens, byte for byte", n+1)
		wrong(issuer.Keys == nil, "issuer %s has no |Keys|; make them with package keyset", quote.Text(issuer.Name))
		wrong(len(issuer.Domains) == 0, "issuer %s vouches for no trust domain; name those that it may vouch for",
			quote.Text(issuer.Name))
		for _, domain := range issuer.Domains {
			other, twice := vouched[domain]
			wrong(twice, "both %s and %s vouch for %s; each trust domain has exactly one issuer, so take it from one of them",
				quote.Text(other), quote.Text(issuer.Name), domain)
			vouched[domain] = issuer.Name
		}
	}
	_, own := vouched[i.self.TrustDomain()]
	wrong(!own, "no issuer vouches for the own trust domain %s; name it among the |Domains| of the one that does",
		i.self.TrustDomain())
	return errs
}

func (is *issued) describe(i *workload) (maker, arguments string) {
	return "Issued", fmt.Sprintf("%s, %v, %v", i.self, is.source, is.list)
}

func (is *issued) issuers() []IdentityIssuer { return is.list }

// release ends what the identity made for itself.
func (is *issued) release() {
	if is.own {
		_ = is.tokens.Close() // it is always nil
	}
}

// open begins to keep the issuers' keys fresh, and reads the own key and token.
func (is *issued) open(i *workload) (*ownCredentials, error) {
	var errs []error
	for _, issuer := range is.list {
		if err := issuer.Keys.Check(); err != nil {
			errs = append(errs, fmt.Errorf("auth: keys of issuer %s: %w", issuer.Name, err))
		}
	}
	key, err := i.loadKey()
	if err != nil {
		errs = append(errs, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), tokenWait)
	defer cancel()
	token, err := is.tokens.Token(ctx, principal.ID{})
	if err != nil {
		errs = append(errs, fmt.Errorf("auth: identity token: %w", err))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	c := &ownCredentials{key: key, token: token.Value}
	if c.expires, err = is.checkOwnToken(i, key, token.Value); err != nil {
		return nil, err
	}
	trust := verify.NewIssuers()
	for _, issuer := range is.list {
		trust.Add(issuer.Name, issuer.Keys, issuer.Domains)
	}
	c.trust = trust
	trust.Watch(i.trustChanged)
	i.known.Store(trust.Generation()) // nobody needs to be told of the first
	return c, nil
}

// checkOwnToken finds the mistake that would otherwise show only as refusals by everybody else. It returns the end of
// the token.
func (is *issued) checkOwnToken(i *workload, key *jose.PrivateKey, token string) (time.Time, error) {
	if _, err := jose.Parse(token, jose.TypeIdentity); err != nil {
		return time.Time{}, fmt.Errorf("auth: own identity token: %w", err)
	}
	claims, err := jose.Unproven(token)
	if err != nil {
		return time.Time{}, fmt.Errorf("auth: own identity token: %w", err)
	}
	var name string
	for _, issuer := range is.list {
		if slices.Contains(issuer.Domains, i.self.TrustDomain()) {
			name = issuer.Name
		}
	}
	read, err := wire.ReadIdentityToken(claims, name, time.Now())
	switch {
	case err != nil:
		return time.Time{}, fmt.Errorf("auth: own identity token: %w", err)
	case read.ID != i.self:
		return time.Time{}, fmt.Errorf("auth: the identity token is that of %s and not of %s; give each workload one "+
			"of its own", read.ID, i.self)
	case read.Key.Thumbprint() != key.Public().Thumbprint():
		return time.Time{}, fmt.Errorf("auth: the identity token is for another key than the one in %s; both must be "+
			"replaced together", i.keyPlace())
	}
	return read.Expires, nil
}

// renew returns what to use from now on in the place of c, or nil when nothing has changed. The error says why what is
// new is not used. The old key stays with a token that was renewed for it.
func (is *issued) renew(ctx context.Context, i *workload, c *ownCredentials) (*ownCredentials, error) {
	ctx, cancel := context.WithTimeout(ctx, tokenWait)
	defer cancel()
	token, err := is.tokens.Token(ctx, principal.ID{})
	if err != nil {
		return nil, fmt.Errorf("auth: identity token: %w", err)
	}
	unchanged, confirm := i.keyUnchanged()
	if unchanged && token.Value == c.token {
		return nil, nil //nolint:nilnil // as it says above
	}
	key, keyErr := i.loadKey()
	if keyErr == nil {
		if token.Value == c.token && key.Public().Thumbprint() == c.key.Public().Thumbprint() {
			confirm()
			return nil, nil //nolint:nilnil // as it says above
		}
		next := &ownCredentials{key: key, token: token.Value, trust: c.trust}
		if next.expires, err = is.checkOwnToken(i, key, token.Value); err == nil {
			return next, nil
		}
		keyErr = err
	}
	if token.Value != c.token {
		next := &ownCredentials{key: c.key, token: token.Value, trust: c.trust}
		if next.expires, err = is.checkOwnToken(i, c.key, token.Value); err == nil {
			return next, keyErr
		}
	}
	return nil, keyErr
}

package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/parley-rpc/parley/interceptors/auth/tokens"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/principal"
)

// IdentityIssuer is somebody who vouches for the workloads of trust domains, by signing workload identity tokens: one says
// which key a workload has. It vouches for those trust domains alone, and for each of them nobody else does.
type IdentityIssuer struct {
	// Name is what its tokens state as iss, byte for byte, where they state it.
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
	source  tokens.Source
	tokens  *tokens.Keeper // in front of it
	own     bool           // the cache was made here, and is closed here
	issuers []IdentityIssuer
}

// Issued returns the identity of the workload self that issuers vouch for. It proves itself with its own private key, which
// lies in a file ([WithKeyFile]) or stays with a signer ([WithSigner]), and a workload identity token: a JWT of type wit+jwt
// with sub = self, cnf.jwk = the public half of that key, exp at most an hour after iat, and no aud. Identity is where such
// tokens come from, usually [tokens.File]; it is asked without an audience.
//
// It believes those workloads that prove themselves in the same way, by the keys of the issuer of their trust domain. One of
// the issuers must vouch for the own trust domain; workloads of the others are accepted too.
//
// Key and token may be replaced while the program runs, each by itself: a pair that fits is used for all handshakes from then
// on. A connection ends with the first of the two identity tokens behind it, and is made anew before. When no token can be
// had any more, handshakes fail with TOKEN_SOURCE_UNAVAILABLE; while an issuer's keys cannot be had, with KEYS_UNAVAILABLE.
//
// Issued does no I/O; see [Identity.Check]. [Identity.Ready] waits for the keys of the issuers.
func Issued(self principal.ID, identity tokens.Source, issuers []IdentityIssuer, opts ...Option) *Identity {
	i := newIdentity(self, opts)
	_, theirs := identity.(*tokens.Keeper)
	i.issued = &issued{source: identity, tokens: tokens.Keep(identity), own: !theirs, issuers: slices.Clone(issuers)}
	for _, issuer := range issuers {
		i.config.domains = append(i.config.domains, issuer.Domains...)
	}
	i.flaw = i.checkArguments()
	return i
}

func (i *Identity) checkIssued() []error {
	var errs []error
	wrong := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf("auth: Issued: "+format, args...))
		}
	}
	wrong(i.issued.source == nil, "there is no source of identity tokens; name one, such as tokens.File")
	wrong(i.config.keyFile == "" && i.config.signer == nil, "the private key is nowhere; name it WithKeyFile or WithSigner")
	wrong(i.config.enroll, "WithEnroll is for a trust directory; an issuer enrolls its workloads itself")
	vouched := map[principal.TrustDomain]string{}
	for n, issuer := range i.issued.issuers {
		wrong(issuer.Name == "", "issuer %d has no Name; state the iss of its tokens, byte for byte", n+1)
		wrong(issuer.Keys == nil, "issuer %s has no Keys", quote(issuer.Name))
		wrong(len(issuer.Domains) == 0, "issuer %s vouches for no trust domain; name those that it may vouch for", quote(issuer.Name))
		for _, domain := range issuer.Domains {
			other, twice := vouched[domain]
			wrong(twice, "both %s and %s vouch for %s; each trust domain has exactly one issuer", quote(other), quote(issuer.Name), domain)
			vouched[domain] = issuer.Name
		}
	}
	_, own := vouched[i.self.TrustDomain()]
	wrong(!own, "no issuer vouches for the own trust domain %s", i.self.TrustDomain())
	return errs
}

// release ends what the identity made for itself.
func (is *issued) release() {
	if is.own {
		_ = is.tokens.Close() // it is always nil
	}
}

// openIssued begins to keep the issuers' keys fresh, and reads the own key and token.
func (i *Identity) openIssued() (*core, error) {
	var errs []error
	for _, issuer := range i.issued.issuers {
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
	token, err := i.issued.tokens.Token(ctx, principal.ID{})
	if err != nil {
		errs = append(errs, fmt.Errorf("auth: identity token: %w", err))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	c := &core{key: key, token: token.Value}
	if c.expires, err = i.checkOwnToken(key, token.Value); err != nil {
		return nil, err
	}
	trust := verify.NewIssuers()
	for _, issuer := range i.issued.issuers {
		trust.Add(issuer.Name, issuer.Keys, issuer.Domains)
	}
	c.trust = trust
	trust.Watch(i.trustChanged)
	i.known.Store(trust.Generation()) // nobody needs to be told of the first
	return c, nil
}

// checkOwnToken finds the mistake that would otherwise show only as refusals by everybody else. It returns the end of the token.
func (i *Identity) checkOwnToken(key *jose.PrivateKey, token string) (time.Time, error) {
	if _, err := jose.Parse(token, jose.TypeIdentity); err != nil {
		return time.Time{}, fmt.Errorf("auth: own identity token: %w", err)
	}
	claims, err := jose.Unproven(token)
	if err != nil {
		return time.Time{}, fmt.Errorf("auth: own identity token: %w", err)
	}
	var name string
	for _, issuer := range i.issued.issuers {
		if slices.Contains(issuer.Domains, i.self.TrustDomain()) {
			name = issuer.Name
		}
	}
	read, err := wire.ReadIdentityToken(claims, name, time.Now())
	switch {
	case err != nil:
		return time.Time{}, fmt.Errorf("auth: own identity token: %w", err)
	case read.ID != i.self:
		return time.Time{}, fmt.Errorf("auth: the identity token is that of %s and not of %s; give each workload one of its own", read.ID, i.self)
	case read.Key.Thumbprint() != key.Public().Thumbprint():
		return time.Time{}, fmt.Errorf("auth: the identity token is for another key than the one in %s; both must be replaced together", i.keyPlace())
	}
	return read.Expires, nil
}

// renewIssued returns what to use from now on in the place of c, or nil when nothing has changed. The error says why what is
// new is not used. The old key stays with a token that was renewed for it.
func (i *Identity) renewIssued(ctx context.Context, c *core) (*core, error) {
	ctx, cancel := context.WithTimeout(ctx, tokenWait)
	defer cancel()
	token, err := i.issued.tokens.Token(ctx, principal.ID{})
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
		next := &core{key: key, token: token.Value, trust: c.trust}
		if next.expires, err = i.checkOwnToken(key, token.Value); err == nil {
			return next, nil
		}
		keyErr = err
	}
	if token.Value != c.token {
		next := &core{key: c.key, token: token.Value, trust: c.trust}
		if next.expires, err = i.checkOwnToken(c.key, token.Value); err == nil {
			return next, keyErr
		}
	}
	return nil, keyErr
}

// Ready waits until the identity can be used: it passes Check, and the keys of all issuers are there. The error says that ctx
// has ended and what is missing.
func (i *Identity) Ready(ctx context.Context) error {
	if err := i.Check(); err != nil {
		return err
	}
	if i.issued == nil {
		return nil
	}
	for _, issuer := range i.issued.issuers {
		if err := issuer.Keys.Ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

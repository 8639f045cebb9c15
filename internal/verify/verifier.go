package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/internal/turnstile"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/principal"
)

// Verifier checks the tokens of one place in a call, such as the bearer tokens of workloads.
type Verifier struct {
	own     *Profile                           // of tokens that workloads sign for themselves, where those have a place
	issuers map[string]*Profile                // by name
	domains map[principal.TrustDomain]*Profile // of tokens without iss, by the trust domain of sub
	form    jose.Form                          // of what any of them accepts
	turn    turnstile.Turnstile
	accept  func(*Token) error // what this place in a call requires besides; it may add to the token
	cache   *Cache
}

// New returns the verifier of the tokens of issuers, and, with own, of those that workloads sign for themselves. The
// error names every issuer that is there twice.
func New(
	own *Profile,
	issuers []*Profile,
	turn turnstile.Turnstile,
	cache *Cache,
	accept func(*Token) error,
) (*Verifier, error) {
	v := &Verifier{
		own:     own,
		issuers: make(map[string]*Profile, len(issuers)),
		domains: map[principal.TrustDomain]*Profile{},
		turn:    turn,
		cache:   cache,
		accept:  accept,
	}
	if own != nil {
		v.form = own.Form()
	}
	var errs []error
	for _, p := range issuers {
		for _, name := range p.names() {
			if v.issuers[name] != nil {
				errs = append(errs, fmt.Errorf("%s is there twice, as %s; keep one", p.title(), v.issuers[name].title()))
			}
			v.issuers[name] = p
		}
		for _, domain := range p.domains() {
			if other := v.domains[domain]; other != nil {
				errs = append(errs, fmt.Errorf("%s and %s both vouch for %s without iss; each trust domain has one",
					other.title(), p.title(), domain))
			}
			v.domains[domain] = p
		}
		v.form = v.form.Join(p.Form())
	}
	return v, errors.Join(errs...)
}

// title names the issuer in a configuration error.
func (p *Profile) title() string {
	if p.Place != "" {
		return p.Place + " (" + p.Name + ")"
	}
	return "auth: Issuer " + quote.Text(p.Name)
}

// Accepts reports whether the verifier takes tokens of an issuer. A nil Verifier takes none.
func (v *Verifier) Accepts(issuer string) bool { return v != nil && v.issuers[issuer] != nil }

// NamesWorkload reports whether a token that passed for a user's would be that of a workload here.
func (v *Verifier) NamesWorkload(t *Token) bool {
	return slices.ContainsFunc(t.profile.names(), func(name string) bool {
		p := v.issuers[name]
		return p != nil && p.NamesWorkload(t)
	})
}

// ClaimedIssuer is what a token states as iss, which nothing proves. It is for the log, so it reads no token that is
// longer or has more members than the strict form allows, whatever the issuers may do. It reports false where a token
// states none, or is no token at all.
func ClaimedIssuer(compact string) (issuer string, ok bool) {
	token, err := jose.ParseForm(compact, jose.Form{AnyType: true, OtherHeaders: true, NoKeyID: true})
	if err != nil {
		return "", false
	}
	issuer, err = token.ClaimedIssuer()
	return issuer, err == nil && issuer != ""
}

// Verify checks a token, completely the first time. What it returns is good now; it stays so until its time ends or its
// key is no longer that of its owner. With the error of a token that was good and has expired, it returns the token,
// too.
func (v *Verifier) Verify(ctx context.Context, compact string, now time.Time) (*Token, error) {
	if len(compact) > v.form.Length {
		return nil, jose.ReasonSize // before it costs anything
	}
	t, hash := v.cache.get(compact, now)
	if t != nil {
		return t, nil
	}
	if err := v.cache.knownBad(hash, now); err != nil {
		return nil, err
	}
	return v.cache.checkOnce(ctx, hash, func() (*Token, error) { return v.verifyUncached(ctx, compact, hash) })
}

// verifyUncached checks a token that the cache does not have.
func (v *Verifier) verifyUncached(ctx context.Context, compact string, hash Hash) (t *Token, err error) {
	defer RefusePanic(&err)
	token, err := jose.ParseForm(compact, v.form)
	if err != nil {
		return nil, err
	}
	p, payload, err := v.profileOf(token)
	if err != nil {
		return nil, err
	}
	t = newToken(p, token, hash)
	if err := t.checkContent(ctx, token, payload, v.turn); err != nil {
		v.cache.keepBad(t, err)
		return nil, err
	}
	if err := v.accept(t); err != nil {
		return nil, err
	}
	t.measure(len(compact))
	return t, t.checkTimes(t.verified)
}

// profileOf returns the profile of the issuer that the token names, which is not proven yet, or that of tokens which
// workloads sign for themselves; and the payload, where it had to be read for that. A payload that cannot be read is
// its own error: it names no issuer at all.
func (v *Verifier) profileOf(token *jose.Token) (*Profile, jose.Payload, error) {
	if len(v.issuers) == 0 {
		return v.own, jose.Payload{}, v.unnamed(jose.Payload{})
	}
	payload, err := token.Unproven()
	if err != nil {
		return nil, payload, err
	}
	named, _ := payload.Claims.String(wire.ClaimIssuer)
	if p := v.issuers[named]; p != nil {
		return p, payload, nil
	}
	if p := v.domains[domainOf(payload.Claims)]; p != nil && !payload.Claims.Has(wire.ClaimIssuer) {
		return p, payload, nil
	}
	return v.own, payload, v.unnamed(payload)
}

// ErrUnknownIssuer refuses a token of an issuer that has no place here.
var ErrUnknownIssuer = errors.New("iss is no issuer that is accepted here")

// unnamed says why no issuer is found, where only issuers may vouch.
func (v *Verifier) unnamed(payload jose.Payload) error {
	switch {
	case v.own != nil:
		return nil
	case payload.Claims == nil || !payload.Claims.Has(wire.ClaimIssuer):
		return errors.New("iss is missing")
	default:
		return ErrUnknownIssuer
	}
}

// BadForm reports whether an error refuses a token for its form, before its payload was read. Nothing more is read of
// such a token for the log: anyone can send one, and it must stay cheap. The header is an exception, because tokens for
// another place, and those of unknown issuers, often differ in it.
func BadForm(err error) bool {
	_, isReason := errors.AsType[jose.Reason](err)
	_, isError := errors.AsType[*jose.Error](err)
	return (isReason || isError) && !BadHeader(err)
}

// BadHeader reports whether an error refuses a token for a header that another issuer may well write.
func BadHeader(err error) bool {
	return errors.Is(err, jose.ReasonType) || errors.Is(err, jose.ReasonHeader) || errors.Is(err, jose.ReasonKeyID)
}

package verify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/turnstile"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/principal"
)

// Issuers is a [Trust] that rests on issuers, each of which vouches for its own trust domains.
type Issuers struct {
	byDomain map[principal.TrustDomain]domainIssuer
	sets     []*keyset.Set
	stops    []func()
}

// domainIssuer signs the identity tokens of the workloads of a trust domain.
type domainIssuer struct {
	name string // what they state as iss, where they do
	keys *keyset.Set
}

// NewIssuers returns a trust without issuers.
func NewIssuers() *Issuers { return &Issuers{byDomain: map[principal.TrustDomain]domainIssuer{}} }

// Add lets an issuer vouch for trust domains.
func (a *Issuers) Add(name string, keys *keyset.Set, domains []principal.TrustDomain) {
	a.sets = append(a.sets, keys)
	for _, domain := range domains {
		a.byDomain[domain] = domainIssuer{name, keys}
	}
}

// Watch calls changed with every change of the issuers' keys.
func (a *Issuers) Watch(changed func(generation uint64)) {
	for _, set := range a.sets {
		a.stops = append(a.stops, set.Listen(func(uint64) { changed(a.Generation()) }))
	}
}

// Close stops listening to the issuers' keys, which it leaves open.
func (a *Issuers) Close() error {
	for _, stop := range a.stops {
		stop()
	}
	return nil
}

// Generation counts the changes of all sets.
func (a *Issuers) Generation() uint64 {
	var sum uint64
	for _, set := range a.sets {
		sum += set.Generation()
	}
	return sum
}

// Lookup knows no key: an issuer binds a key to a workload by a token, and keeps no list.
func (a *Issuers) Lookup(string) (principal.ID, *jose.PublicKey, error) {
	return principal.ID{}, nil, keyset.ErrUnknownKey
}

// Await knows no key, as Lookup.
func (a *Issuers) Await(_ context.Context, kid string) (principal.ID, *jose.PublicKey, error) {
	return a.Lookup(kid)
}

// Holds knows no key, as Lookup.
func (a *Issuers) Holds(string, principal.ID) bool { return false }

// Names reports whether an issuer vouches for the trust domain of the workload: the issuer alone knows its workloads.
func (a *Issuers) Names(id principal.ID) (bool, error) {
	_, vouched := a.byDomain[id.TrustDomain()]
	return vouched, nil
}

// Vouch reads the identity token of a peer. Its subject chooses the issuer, whose signature then makes it believed.
func (a *Issuers) Vouch(ctx context.Context, identity, kid string, turn turnstile.Turnstile) (KeyBinding, error) {
	if identity == "" {
		return KeyBinding{}, errors.New("no identity token, where trust rests on issuers")
	}
	token, err := jose.Parse(identity, jose.TypeIdentity)
	if err != nil {
		return KeyBinding{}, fmt.Errorf("identity token: %w", err)
	}
	issuer, err := a.issuerOf(identity)
	if err != nil {
		return KeyBinding{}, fmt.Errorf("identity token: %w", err)
	}
	b := KeyBinding{Generation: issuer.keys.Generation()}
	keys, err := issuer.keys.Await(ctx, token.KeyID(), token.Algorithm())
	if err != nil {
		return KeyBinding{}, fmt.Errorf("identity token: %w", err)
	}
	signer, err := checkAnySignature(ctx, token, keys, turn)
	if err != nil {
		return KeyBinding{}, fmt.Errorf("identity token: %w", err)
	}
	payload, err := token.Unproven() // which the signature has proven
	if err != nil {
		return KeyBinding{}, fmt.Errorf("identity token: %w", err)
	}
	read, err := wire.ReadIdentityToken(payload.Claims, issuer.name, time.Now())
	if err != nil {
		return KeyBinding{}, fmt.Errorf("identity token: %w", err)
	}
	if read.Key.Thumbprint() != kid {
		return KeyBinding{}, errors.New("the proof is by another key than the identity token confirms")
	}
	b.ID, b.Key, b.Expires = read.ID, read.Key, read.Expires
	b.Validity = issuerKey{set: issuer.keys, key: signer}
	return b, nil
}

// issuerOf returns the one issuer that vouches for the trust domain that a token claims to be of.
func (a *Issuers) issuerOf(identity string) (domainIssuer, error) {
	claims, err := jose.Unproven(identity)
	if err != nil {
		return domainIssuer{}, err
	}
	subject, _ := claims.String(wire.ClaimSubject)
	id, err := principal.ParseID(subject)
	if err != nil {
		return domainIssuer{}, errors.New("sub is no ID")
	}
	issuer, ok := a.byDomain[id.TrustDomain()]
	if !ok {
		return domainIssuer{}, errors.New("no issuer vouches for its trust domain")
	}
	return issuer, nil
}

// issuerKey is the [Validity] of a peer that an issuer vouched for, by the key that signed the identity token.
type issuerKey struct {
	set *keyset.Set
	key *jose.PublicKey
}

func (k issuerKey) Holds(string, principal.ID) bool { return k.set.Holds(k.key) }

func (k issuerKey) Generation() uint64 { return k.set.Generation() }

package auth

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

// issuers is the anchor that is made of issuers, each for its own trust domains.
type issuers struct {
	byDomain map[principal.TrustDomain]IdentityIssuer
	sets     []*keyset.Set
	stops    []func()
}

func newIssuers(list []IdentityIssuer) *issuers {
	a := &issuers{byDomain: map[principal.TrustDomain]IdentityIssuer{}}
	for _, issuer := range list {
		a.sets = append(a.sets, issuer.Keys)
		for _, domain := range issuer.Domains {
			a.byDomain[domain] = issuer
		}
	}
	return a
}

// watch lets changed be told of every change of the issuers' keys.
func (a *issuers) watch(changed func(generation uint64)) {
	for _, set := range a.sets {
		a.stops = append(a.stops, set.Listen(func(uint64) { changed(a.generation()) }))
	}
}

func (a *issuers) close() error {
	for _, stop := range a.stops {
		stop()
	}
	return nil
}

// generation counts the changes of all sets.
func (a *issuers) generation() uint64 {
	var sum uint64
	for _, set := range a.sets {
		sum += set.Generation()
	}
	return sum
}

// lookup knows nobody: an issuer says whose a key is by a token, and keeps no list.
func (a *issuers) lookup(string) (principal.ID, *jose.PublicKey, error) {
	return principal.ID{}, nil, keyset.ErrUnknownKey
}

func (a *issuers) await(_ context.Context, kid string) (principal.ID, *jose.PublicKey, error) {
	return a.lookup(kid)
}

func (a *issuers) holds(string, principal.ID) bool { return false }

// vouch reads the identity token of a peer. Its subject chooses the issuer, whose signature then makes it believed.
func (a *issuers) vouch(ctx context.Context, identity, kid string, turn turnstile.Turnstile) (bond, error) {
	if identity == "" {
		return bond{}, errors.New("no identity token, where trust rests on issuers")
	}
	token, err := jose.Parse(identity, jose.TypeIdentity)
	if err != nil {
		return bond{}, fmt.Errorf("identity token: %w", err)
	}
	issuer, err := a.issuerOf(identity)
	if err != nil {
		return bond{}, fmt.Errorf("identity token: %w", err)
	}
	b := bond{generation: issuer.Keys.Generation()}
	signer, err := issuer.Keys.Await(ctx, token.KeyID())
	if err != nil {
		return bond{}, fmt.Errorf("identity token: %w", err)
	}
	claims, err := checkSignature(ctx, token, signer, turn)
	if err != nil {
		return bond{}, fmt.Errorf("identity token: %w", err)
	}
	read, err := wire.ReadIdentityToken(claims, issuer.Name, time.Now())
	if err != nil {
		return bond{}, fmt.Errorf("identity token: %w", err)
	}
	if read.Key.Thumbprint() != kid {
		return bond{}, errors.New("the proof is by another key than the identity token confirms")
	}
	b.id, b.key, b.expires = read.ID, read.Key, read.Expires
	b.trust = issuerKey{set: issuer.Keys, key: signer}
	return b, nil
}

// issuerOf returns the one issuer that vouches for the trust domain that a token claims to be of.
func (a *issuers) issuerOf(identity string) (IdentityIssuer, error) {
	claims, err := jose.Unproven(identity)
	if err != nil {
		return IdentityIssuer{}, err
	}
	subject, _ := claims.String(wire.ClaimSubject)
	id, err := principal.ParseID(subject)
	if err != nil {
		return IdentityIssuer{}, errors.New("sub is no ID")
	}
	issuer, ok := a.byDomain[id.TrustDomain()]
	if !ok {
		return IdentityIssuer{}, errors.New("no issuer vouches for its trust domain")
	}
	return issuer, nil
}

// issuerKey is the lifeline of a peer whom an issuer vouched for: the key that the issuer did so with.
type issuerKey struct {
	set *keyset.Set
	key *jose.PublicKey
}

func (k issuerKey) holds(string, principal.ID) bool { return k.set.Holds(k.key.KeyID(), k.key) }

func (k issuerKey) generation() uint64 { return k.set.Generation() }

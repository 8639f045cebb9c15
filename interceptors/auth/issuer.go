package auth

import (
	"errors"
	"fmt"
	"slices"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/profile"
)

// Issuer is an authority that vouches for others with tokens: its name, its keys, and which of its tokens count. Fields
// that are not set have the stated defaults. An Issuer must not be changed once it was handed to an option.
type Issuer struct {
	// Name is what its tokens state as iss, byte for byte. Required, and unique within a server.
	Name string
	// Keys are the keys with which it signs. Required. A key counts for this issuer alone. [keyset.WithAlgorithms] says
	// for which algorithms.
	Keys *keyset.Set
	// Audiences are those for whom a token may be meant; its aud must name one of them. Default: the server's own ID.
	// An empty list that is not nil is a mistake: a token that is good for anybody is never accepted.
	Audiences []string
	// Subjects are the workloads that it may vouch for. A token whose sub is no ID that matches one of them is refused.
	// Required where the tokens are those of workloads.
	Subjects []principal.Pattern
	// Profile is what its tokens look like, such as profile.Of(profile.Okta). Default: access tokens of RFC 9068, with a
	// jti, one audience and an hour to live at most.
	Profile profile.Profile

	transactions bool // its tokens are transaction tokens, and nothing else
}

// profile is what the tokens of the issuer must look like, with its defaults applied. The error joins every mistake.
func (is Issuer) profile(self principal.ID) (*verify.Profile, error) {
	p := &verify.Profile{
		Profile: is.Profile, Name: is.Name, Subjects: slices.Clone(is.Subjects), Audiences: slices.Clone(is.Audiences),
	}
	var errs []error
	if is.Keys != nil {
		p.Keys = verify.IssuerKeys(is.Keys)
		errs = append(errs, is.Keys.Err())
	}
	mistakes := []error{is.Profile.Check()}
	if is.transactions {
		p.Types = []string{jose.TypeTransaction}
	}
	p.Default(self)
	for _, err := range append(mistakes, p.Check()) {
		if err != nil {
			errs = append(errs, fmt.Errorf("auth: Issuer %s: %w", quote.Text(is.Name), err))
		}
	}
	return p, errors.Join(errs...)
}

// newVerifier returns the verifier of the tokens of issuers. The error joins every mistake in them.
func (g *Gate) newVerifier(
	own *verify.Profile,
	issuers []Issuer,
	accept func(*verify.Token) error,
) (*verify.Verifier, error) {
	var profiles []*verify.Profile
	var errs []error
	for _, issuer := range issuers {
		p, err := issuer.profile(g.identity.self)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		profiles = append(profiles, p)
	}
	v, err := verify.New(own, profiles, g.turn, verify.NewCache(g.identity.auditClock), accept)
	return v, errors.Join(append(errs, err)...)
}

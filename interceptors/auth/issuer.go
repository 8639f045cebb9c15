package auth

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/principal"
)

// Issuer is somebody who vouches for others with tokens: its name, its keys, and what of its word counts. Fields that
// are not set have the stated defaults. An Issuer must not be changed once it was handed to an option.
type Issuer struct {
	// Name is what its tokens state as iss, byte for byte. Required, and unique within a server.
	Name string
	// Keys are the keys with which it signs. Required. A key counts for this issuer alone. [keyset.WithAlgorithms] says
	// for which algorithms.
	Keys *keyset.Set
	// Types are the token types (the JOSE header's typ) that are accepted. Those of proofs, which are good for one use,
	// are a mistake. Default: at+jwt (RFC 9068).
	Types []string
	// Audiences are those for whom a token may be meant; its aud must name one of them. Default: the server's own ID.
	// An empty list that is not nil is a mistake: a token that is good for anybody is never accepted.
	Audiences []string
	// Subjects are the workloads that it may vouch for. A token whose sub is no ID that matches one of them is refused.
	// Required where the tokens are those of workloads.
	Subjects []principal.Pattern
	// RequiredClaims must be there beside iss, sub, aud, exp and iat, which always must. Default: jti.
	RequiredClaims []string
	// MaxLifetime bounds exp - iat. Default: 1 hour.
	MaxLifetime time.Duration
	// MaxAudiences bounds how many audiences a token may name. Default: 1.
	MaxAudiences int
	// ClockSkew is how far its clock may be off, at most 5 minutes. Default: 30 seconds; negative means none.
	ClockSkew time.Duration

	transactions bool // its tokens are transaction tokens, and nothing else
}

// profile is what the tokens of the issuer must look like, with its defaults applied. The error joins every mistake.
func (is Issuer) profile(self principal.ID) (*verify.Profile, error) {
	p := &verify.Profile{
		Name: is.Name, Subjects: slices.Clone(is.Subjects), Types: slices.Clone(is.Types),
		Audiences: slices.Clone(is.Audiences), Required: slices.Clone(is.RequiredClaims),
		MaxLifetime: is.MaxLifetime, MaxAudiences: is.MaxAudiences, Skew: is.ClockSkew,
	}
	var errs []error
	if is.Keys != nil {
		p.Keys = verify.IssuerKeys(is.Keys)
		errs = append(errs, is.Keys.Err())
	}
	p.Default(self)
	for _, err := range []error{p.Check(), is.checkTypes(p)} {
		if err != nil {
			errs = append(errs, fmt.Errorf("auth: Issuer %s: %w", quote.Text(is.Name), err))
		}
	}
	return p, errors.Join(errs...)
}

func (is Issuer) checkTypes(p *verify.Profile) error {
	if is.transactions {
		return nil // their type is settled
	}
	return p.CheckBearerTypes()
}

// newVerifier returns the verifier of the tokens of issuers. The error joins every mistake in them.
func (g *Gate) newVerifier(own *verify.Profile, issuers []Issuer, accept func(*verify.Token) error) (*verify.Verifier, error) {
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

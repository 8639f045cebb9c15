package issuer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/profile"
)

// Bootstrap is an authority that knows workloads before they have an identity, such as a Kubernetes cluster or a CI
// service. A workload sends the authority's token, and gets an identity token for a key of its own. Fields that are not
// set have the stated defaults.
type Bootstrap struct {
	// Name is the iss of its tokens, byte for byte. Required.
	Name string
	// Keys are the keys with which it signs. Required. [Issuer.Close] closes them.
	Keys *keyset.Set
	// Audiences are the accepted audiences of its tokens. Default: the name of this issuer. A token that was issued for
	// another server must not be accepted, because that server could use it here.
	Audiences []string
	// Profile is what its tokens look like, such as profile.Of(profile.Kubernetes). Default: access tokens of RFC 9068.
	Profile profile.Profile
	// Principals says which workload a token names. Default: the workload is sub, limited by Subjects.
	Principals *principal.Map
	// Subjects are the workloads that it may name. Required without Principals, which it limits further.
	Subjects []principal.Pattern
	// Review asks the authority about a token whose signature and claims have passed, such as [TokenReview]. Audience is
	// the accepted audience, and subject is the sub of the token. It must return soon after ctx has ended. An error that
	// wraps [ErrRefused] refuses the token, and any other error means that the authority cannot be asked. Default: the
	// signature is sufficient, so a token is accepted until it expires.
	Review func(ctx context.Context, token, audience, subject string) error
}

// ErrRefused is the error of [Bootstrap.Review] for a token that is not accepted.
var ErrRefused = errors.New("issuer: the authority does not accept the token")

// bootstrap is a checked Bootstrap.
type bootstrap struct {
	profile  *verify.Profile
	review   func(ctx context.Context, token, audience, subject string) error
	patterns []principal.Pattern // of all workloads that it can name
}

// compile checks the Bootstrap, for the workloads of a trust domain. The error joins every mistake.
func (b Bootstrap) compile(issuer string, domain principal.TrustDomain) (*bootstrap, error) {
	var errs []error
	wrong := func(err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("issuer: WithIdentities: Bootstrap %s: %w", quote.Text(b.Name), err))
		}
	}
	p := &verify.Profile{
		Profile: b.Profile, Name: b.Name, Subjects: slices.Clone(b.Subjects), Audiences: slices.Clone(b.Audiences),
	}
	if b.Keys != nil {
		p.Keys = verify.IssuerKeys(b.Keys)
		wrong(b.Keys.Err())
	}
	if p.Audiences == nil {
		p.Audiences = []string{issuer}
	}
	c := &bootstrap{profile: p, review: b.Review, patterns: b.Subjects}
	if b.Principals != nil {
		var err error
		if p.Principals, err = b.Principals.Compile(); err == nil {
			c.patterns = p.Principals.Patterns()
		}
		wrong(err)
	} else if len(b.Subjects) == 0 {
		wrong(errors.New("it names no workload; set Principals, or the Subjects that its tokens may name"))
	}
	for _, stated := range append([]string{b.Name}, b.Audiences...) {
		if strings.Contains(stated, "*") {
			wrong(fmt.Errorf("%s has a star, and there are no patterns here; write it out", quote.Text(stated)))
		}
	}
	for _, pattern := range c.patterns {
		if principal.IsPattern(pattern) && pattern.TrustDomain() != domain {
			wrong(fmt.Errorf("it can name %s, which is not of the trust domain %s; an issuer vouches for its own alone",
				pattern, domain))
		}
	}
	wrong(b.Profile.Check())
	p.Default(principal.ID{})
	wrong(p.Check())
	return c, errors.Join(errs...)
}

// names reports whether its tokens can name a workload.
func (b *bootstrap) names(id principal.ID) bool { return principal.MatchesAny(b.patterns, id) }

// shares returns a workload, or a pattern of workloads, that both can name.
func (b *bootstrap) shares(other *bootstrap) (principal.Pattern, bool) {
	for _, one := range b.patterns {
		for _, two := range other.patterns {
			if one.Overlaps(two) {
				return two, true
			}
		}
	}
	return nil, false
}

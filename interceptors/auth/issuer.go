package auth

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/literal"
	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/profile"
)

// Issuer is an authority that vouches for others with tokens: its name, its keys, and which of its tokens count. Fields
// that are not set have the stated defaults. An Issuer must not be changed once it was handed to an option.
type Issuer struct {
	// Name is the iss of its tokens, byte for byte. Required, and unique within a server.
	Name string
	// Keys are the keys with which it signs. Required. A key counts for this issuer alone. [keyset.WithAlgorithms] says
	// for which algorithms.
	Keys *keyset.Set
	// Audiences are the accepted audiences; the aud of a token must contain one of them. Default: the server's own ID. An
	// empty list that is not nil is a mistake, because a token without a certain audience is never accepted.
	Audiences []string
	// Subjects are the workloads that it may vouch for. The sub of a token must be an ID that matches one of them.
	// Required for tokens of workloads, unless Principals is set; then it limits the IDs of Principals.
	Subjects []principal.Pattern
	// Principals maps tokens to workloads, for an issuer whose sub is not an ID of Parley. It is for [WithIssuers].
	// Default: the workload is sub.
	Principals *principal.Map
	// Profile is the profile of its tokens, such as profile.Of(profile.Okta). Default: access tokens of RFC 9068, with a
	// jti, one audience and an hour to live at most.
	Profile profile.Profile

	transactions bool // its tokens are transaction tokens, and nothing else
	anyAudience  bool // a token may be for whatever audience
}

// profile is what the tokens of the issuer must look like, with its defaults applied. The error joins every mistake.
func (is Issuer) profile(self principal.ID) (*verify.Profile, error) {
	p := &verify.Profile{
		Profile: is.Profile, Name: is.Name, Subjects: slices.Clone(is.Subjects),
	}
	var errs []error
	wrong := func(err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("auth: Issuer %s: %w", quote.Text(is.Name), err))
		}
	}
	if is.Keys != nil {
		p.Keys = verify.IssuerKeys(is.Keys)
		errs = append(errs, is.Keys.Err())
	}
	if is.Principals != nil {
		var err error
		p.Principals, err = is.Principals.Compile()
		wrong(err)
	}
	wrong(is.Profile.Check())
	wrong(is.readLiterals(p))
	if is.transactions {
		p.Types = []string{jose.TypeTransaction}
	}
	p.AnyAudience = is.anyAudience
	p.Default(self)
	wrong(p.Check())
	return p, errors.Join(errs...)
}

// readLiterals reads what is compared letter by letter, in which a star would look like a pattern.
func (is Issuer) readLiterals(p *verify.Profile) error {
	var errs []error
	read := func(what, stated string) string {
		text, ok := literal.Read(stated)
		if !ok {
			errs = append(errs, fmt.Errorf(
				`%s %s has a star, and there are no patterns here; name each one, and write \* for a real star`,
				what, quote.Text(stated)))
		}
		return text
	}
	read("Name", is.Name)
	if is.Audiences != nil {
		p.Audiences = make([]string, len(is.Audiences))
	}
	for i, audience := range is.Audiences {
		p.Audiences[i] = read("audience", audience)
	}
	p.RequiredValues = maps.Clone(p.RequiredValues)
	for _, name := range slices.Sorted(maps.Keys(p.RequiredValues)) {
		p.RequiredValues[name] = read("value of "+name, p.RequiredValues[name])
	}
	return errors.Join(errs...)
}

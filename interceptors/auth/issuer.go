package auth

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/literal"
	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/internal/stated"
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
	// Shared also lets its tokens name workloads for which the identity of the server has keys, or an identity issuer of
	// another name. Default: such a token is refused, so that no other issuer can be a workload of one's own.
	Shared bool
	// Profile is the profile of its tokens, such as profile.Of(profile.Okta). Default: access tokens of RFC 9068, with a
	// jti, one audience and an hour to live at most.
	Profile profile.Profile
	// Place is where a configuration file states the issuer, such as users.issuers[0]. Errors then name this place and
	// the keys of the file. Default: they name the issuer, and fields and options of this package.
	Place string

	transactions bool // its tokens are transaction tokens, and nothing else
	anyAudience  bool // a token may be for whatever audience
}

// Check returns every mistake in the issuer by itself, joined. What it may not be beside other issuers, and in the place
// of an identity, [Gate.Check] says.
func (is Issuer) Check() error {
	self, err := principal.ParseID(principal.Scheme + "example/server") // for the default of Audiences
	if err != nil {
		return err
	}
	_, err = is.profile(self)
	return err
}

// profile is what the tokens of the issuer must look like, with its defaults applied. The error joins every mistake.
func (is Issuer) profile(self principal.ID) (*verify.Profile, error) {
	p := &verify.Profile{
		Profile: is.Profile, Name: is.Name, Subjects: slices.Clone(is.Subjects), Shared: is.Shared, Place: is.Place,
	}
	var errs []error
	wrong := func(err error) { errs = append(errs, is.placed("", err)) }
	if is.Keys != nil {
		p.Keys = verify.IssuerKeys(is.Keys)
		errs = append(errs, is.Keys.Err())
	}
	if is.Principals != nil {
		var err error
		p.Principals, err = is.Principals.Compile()
		errs = append(errs, is.placed("principals", err))
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

// placed returns the mistakes in an issuer as the one needs them who stated it. Below is the part of the issuer in a
// file that they are in, "" for all of it.
func (is Issuer) placed(below string, err error) error {
	switch {
	case err == nil:
		return nil
	case is.Place == "":
		return fmt.Errorf("auth: Issuer %s: %w", quote.Text(is.Name), err)
	case below == "":
		return stated.At(is.Place, err)
	default:
		return stated.At(is.Place+"."+below, err)
	}
}

// mistake is [stated.New] of an issuer.
func (is Issuer) mistake(format string, args ...any) error {
	return is.placed("", stated.New(format, args...))
}

// title names an issuer in the mistakes of another one.
func (is Issuer) title() string {
	if is.Place != "" {
		return is.Place
	}
	return "Issuer " + quote.Text(is.Name)
}

// readLiterals reads what is compared letter by letter, in which a star would look like a pattern.
func (is Issuer) readLiterals(p *verify.Profile) error {
	var errs []error
	read := func(text, what string, args ...any) string {
		value, ok := literal.Read(text)
		if !ok {
			errs = append(errs, stated.New(
				what+` %s has a star, and there are no patterns here; name each one, and write \* for a real star`,
				append(args, quote.Text(text))...))
		}
		return value
	}
	read(is.Name, "|Name|")
	if is.Audiences != nil {
		p.Audiences = make([]string, len(is.Audiences))
	}
	for i, audience := range is.Audiences {
		p.Audiences[i] = read(audience, "|Audiences|:")
	}
	p.RequiredValues = maps.Clone(p.RequiredValues)
	for _, name := range slices.Sorted(maps.Keys(p.RequiredValues)) {
		p.RequiredValues[name] = read(p.RequiredValues[name], "|Profile.RequiredValues|: the value of %s", quote.Text(name))
	}
	return errors.Join(errs...)
}

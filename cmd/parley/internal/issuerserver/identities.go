package issuerserver

import (
	"errors"
	"fmt"
	"slices"

	issuerv1 "github.com/parley-rpc/parley/gen/parley/issuer/v1"
	"github.com/parley-rpc/parley/internal/issuerconfig"
	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/issuer"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/profile"
)

// identityOptions returns the options about workload identity tokens.
func (c config) identityOptions() ([]issuer.Option, error) {
	stated := c.file.GetIdentities()
	if stated == nil {
		return nil, nil
	}
	var options []issuer.Option
	if d := stated.GetLifetime(); d != nil {
		options = append(options, issuer.WithIdentityLifetime(d.AsDuration()))
	}
	var authorities []issuer.Bootstrap
	var errs []error
	for n, authority := range stated.GetAuthorities() {
		b, err := c.authority(fmt.Sprintf("identities.authorities[%d]", n), authority)
		authorities, errs = append(authorities, b), append(errs, err)
	}
	return append(options, issuer.WithIdentities(c.domain.String(), authorities...)), errors.Join(errs...)
}

// authority reads one authority, which stands at place.
func (c config) authority(place string, stated *issuerv1.Authority) (issuer.Bootstrap, error) {
	b := issuer.Bootstrap{Name: stated.GetIssuer(), Audiences: stated.GetAudiences()}
	var errs []error
	wrong := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(place+format, args...))
		}
	}
	provider := profile.Provider(stated.GetProvider())
	if provider != "" {
		wrong(!slices.Contains(profile.Providers(), provider),
			".provider: %s is not known; the providers are %v", quote.Text(stated.GetProvider()), profile.Providers())
		b.Profile = profile.Of(provider)
	}
	var err error
	b.Principals, err = issuerconfig.Principals(place+".principals", c.domain, stated.GetPrincipals())
	errs = append(errs, err)
	b.Subjects, err = issuerconfig.Subjects(place+".subjects", c.domain, stated.GetSubjects())
	errs = append(errs, err)
	wrong(stated.GetKeysUrl() != "" && stated.GetKeysFile() != "",
		": keys_url and keys_file contradict each other; keep one of them")
	b.Keys = c.authorityKeys(stated, b.Profile)
	if url := stated.GetReviewUrl(); url != "" {
		wrong(stated.GetBearerTokenFile() == "", ".review_url: the API server must know who asks; set bearer_token_file")
		b.Review = issuer.Cluster{
			URL: url, CAFile: c.fileOf(stated.GetCaFile()), TokenFile: c.fileOf(stated.GetBearerTokenFile()),
		}.Review
	}
	return b, errors.Join(errs...)
}

func (c config) authorityKeys(stated *issuerv1.Authority, look profile.Profile) *keyset.Set {
	if stated.GetKeysFile() != "" {
		return keyset.File(c.fileOf(stated.GetKeysFile()), keyOptions(look)...)
	}
	options := keyOptions(look)
	if stated.GetCaFile() != "" {
		options = append(options, keyset.WithCAFile(c.fileOf(stated.GetCaFile())))
	}
	if stated.GetBearerTokenFile() != "" {
		options = append(options, keyset.WithBearerTokenFile(c.fileOf(stated.GetBearerTokenFile())))
	}
	if stated.GetKeysUrl() != "" {
		return keyset.URL(stated.GetKeysUrl(), options...)
	}
	return keyset.Provider(stated.GetIssuer(), options...)
}

// keyOptions says which keys of a set the tokens of a profile may be signed with.
func keyOptions(look profile.Profile) []keyset.Option {
	var options []keyset.Option
	if look.KeyUses != nil {
		options = append(options, keyset.WithUses(look.KeyUses...))
	}
	if look.Algorithms != nil {
		options = append(options, keyset.WithAlgorithms(look.Algorithms...))
	}
	return options
}

// fileOf is the path of a file that may not be stated.
func (c config) fileOf(name string) string {
	if name == "" {
		return ""
	}
	return c.path(name)
}

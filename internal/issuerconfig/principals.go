package issuerconfig

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/principal"
)

// Principals returns the map from the claims of an issuer's tokens to workloads, or nil if none is stated. Names
// without a trust domain are of domain. Place is the path of the map, for errors. What is wrong in the map itself shows
// when it is compiled.
func Principals(place string, domain principal.TrustDomain, stated *configv1.Principals) (*principal.Map, error) {
	if stated == nil {
		return nil, nil //nolint:nilnil // as it says above
	}
	m := &principal.Map{
		Template: stated.GetTemplate(), Claim: stated.GetClaim(), Same: stated.GetSame(),
		Required: stated.GetRequired(),
	}
	var errs []error
	for _, value := range slices.Sorted(maps.Keys(stated.GetIds())) {
		named, err := domain.ParsePeer(stated.GetIds()[value])
		id, single := named.(principal.ID)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("%s.ids: %s: %w", place, quote.Text(value), err))
		case !single:
			errs = append(errs, fmt.Errorf("%s.ids: %s: %v is a pattern; name one workload", place, quote.Text(value), named))
		case m.IDs == nil:
			m.IDs = map[string]principal.ID{value: id}
		default:
			m.IDs[value] = id
		}
	}
	return m, errors.Join(errs...)
}

// Subjects returns the workloads that an issuer may vouch for. Place is the path of the list, for errors.
func Subjects(place string, domain principal.TrustDomain, stated []string) ([]principal.Pattern, error) {
	var subjects []principal.Pattern
	var errs []error
	for _, subject := range stated {
		pattern, err := domain.ParsePeer(subject)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", place, err))
			continue
		}
		subjects = append(subjects, pattern)
	}
	return subjects, errors.Join(errs...)
}

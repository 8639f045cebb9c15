package framework

import (
	"errors"
	"fmt"
	"slices"

	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/internal/quote"
)

// statesUsers reports whether one of the sources may state rules about users.
func statesUsers(sources []*policySource) bool {
	return slices.ContainsFunc(sources, func(s *policySource) bool {
		_, ok := s.files.(UserFiles)
		return ok
	})
}

// prepareUserRules checks the rules of sources beside the issuers of the configuration.
func prepareUserRules(
	users *auth.Users, configured []*configv1.UserIssuer, sources []*policySource,
) (*auth.UserChange, error) {
	var rules []auth.UserRule
	var errs []error
	for _, s := range sources {
		for _, rule := range s.users {
			for i, stated := range configured {
				if stated.GetIssuer() == rule.Issuer {
					errs = append(errs, fmt.Errorf("users.issuers[%d] and %s, %s, both state the issuer %s; keep one of them",
						i, rule.Place, rule.Subject, quote.Text(rule.Issuer)))
				}
			}
		}
		rules = append(rules, s.users...)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return users.Prepare(rules...)
}

func audienceRemark(rule auth.UserRuleState) string {
	if len(rule.Audiences) == 0 {
		return ", for any audience"
	}
	return ""
}

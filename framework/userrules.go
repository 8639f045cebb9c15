package framework

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/parley-rpc/parley/admin"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/policy"
)

// UserFiles are [policy.Files] that also state who vouches for end users, and where calls carry their tokens, such as
// those of a mesh. A source of [WithPolicySource] or [WithPolicyFormat] may be one. The rules take effect with the
// policies: what they take away at the first look, the rest at the second.
type UserFiles interface {
	policy.Files
	// UserRules returns the rules that a content states. Its error is that of Parse.
	UserRules(content []byte) ([]auth.UserRule, error)
}

// userRulesOf returns the rules of a content of files, none where files state no rules.
func userRulesOf(files policy.Files, content []byte) ([]auth.UserRule, error) {
	if files, ok := files.(UserFiles); ok {
		return files.UserRules(content)
	}
	return nil, nil
}

// stateUsers reports whether a source may state rules about users.
func (p *parts) stateUsers() bool {
	return slices.ContainsFunc(p.sources, func(s *policySource) bool {
		_, ok := s.files.(UserFiles)
		return ok
	})
}

// assembleUserRules puts the rules of the policy sources in force.
func (p *parts) assembleUserRules() error {
	if !p.stateUsers() {
		return nil
	}
	options := []keyset.Option{keyset.WithLogger(p.logger)}
	if p.transport != nil {
		options = append(options, keyset.WithRoundTripper(p.transport))
	}
	p.userRules = auth.NewUsers(options...)
	change, err := p.prepareUsers(p.sources)
	if err != nil {
		return err
	}
	change.Apply()
	return nil
}

// prepareUsers checks the rules of sources beside the configuration.
func (p *parts) prepareUsers(sources []*policySource) (*auth.UserChange, error) {
	var rules []auth.UserRule
	var errs []error
	for _, s := range sources {
		for _, rule := range s.users {
			for i, stated := range p.config.GetUsers().GetIssuers() {
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
	return p.userRules.Prepare(rules...)
}

// describeUserRules writes the rules in force, with the places that state them and the location of the keys.
func (p *parts) describeUserRules(b *bytes.Buffer) {
	for _, rule := range p.userRules.Rules() {
		fmt.Fprintf(b, "  %s: %s  %s  %v%s\n", rule.Place, rule.Subject, rule.Issuer, rule.Trusted.Keys, audienceRemark(rule))
	}
}

func audienceRemark(rule auth.UserRuleState) string {
	if len(rule.Audiences) == 0 {
		return ", for any audience"
	}
	return ""
}

// issuerRows show the issuers of users and of bearer tokens on the admin page.
func (p *parts) issuerRows() []admin.Row {
	var rows []admin.Row
	add := func(place, issuer string, keys *keyset.Set) {
		state, mark := "in force", admin.Good
		switch s := keys.State(); {
		case s.Err != nil:
			state, mark = s.Err.Error(), admin.Bad
		case len(s.Keys) == 0:
			state, mark = "not read yet", admin.Warning
		}
		rows = append(rows, admin.Row{State: mark, Cells: []string{issuer, place, keys.State().Source, state}})
	}
	for _, set := range p.keySets {
		add(set.place, set.issuer, set.keys)
	}
	for _, rule := range p.userRules.Rules() {
		add(rule.Place+": "+rule.Subject+audienceRemark(rule), rule.Issuer, rule.Trusted.Keys)
	}
	return rows
}

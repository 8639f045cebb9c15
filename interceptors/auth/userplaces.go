package auth

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/internal/wire"
)

// newUserSet makes the set of the issuers of the options and of rules. Where a rule does not count, its tokens are
// refused in their places, and what handlers see stays as it says.
func (g *Gate) newUserSet(everyRule []*userRule, counts func(*userRule) bool) (*userSet, error) {
	if err := g.checkUserRules(everyRule); err != nil {
		return nil, err
	}
	s := &userSet{}
	var err error
	if s.own, err = g.userVerifiers(g.static, everyRule, counts); err != nil {
		return nil, err
	}
	looking := map[TokenHeader][]*userRule{}
	for _, r := range everyRule {
		stated := r.rule()
		for _, h := range stated.headers() {
			if h.Name == wire.AuthorizationKey {
				h.Prefix = strings.ToLower(h.Prefix)
			}
			if h.Name != wire.UserTokenKey && !slices.Contains(looking[h], r) {
				looking[h] = append(looking[h], r)
			}
		}
		s.written = append(s.written, stated.written()...)
	}
	if g.config.userAuthorization {
		bearer := TokenHeader{wire.AuthorizationKey, strings.ToLower(wire.BearerScheme) + " "}
		looking[bearer] = slices.Clip(looking[bearer])
	}
	for h, rules := range looking {
		var static *verify.Verifier
		if h.Name == wire.AuthorizationKey && g.config.userAuthorization {
			static = g.static
		}
		by := s.own // which remembers the tokens that it has verified
		if static != g.static || len(rules) != len(everyRule) {
			if by, err = g.userVerifiers(static, rules, counts); err != nil {
				return nil, err
			}
		}
		s.add(h.Name, tokenPlace{h.Prefix, by})
	}
	slices.SortFunc(s.headers, func(a, b headerPlaces) int { return strings.Compare(a.name, b.name) })
	return s, nil
}

// userVerifiers are the verifiers of one place, as few as there can be: each knows an issuer once.
func (g *Gate) userVerifiers(
	static *verify.Verifier, rules []*userRule, counts func(*userRule) bool,
) (userVerifiers, error) {
	rules = slices.DeleteFunc(slices.Clone(rules), func(r *userRule) bool { return !counts(r) })
	var all userVerifiers
	if static != nil {
		all = append(all, userVerifier{Verifier: static})
	}
	for len(rules) > 0 {
		var now, later []*userRule
		var profiles []*verify.Profile
		for _, r := range rules {
			if slices.ContainsFunc(now, func(other *userRule) bool { return r.profile.SharesName(other.profile) }) {
				later = append(later, r)
			} else {
				now, profiles = append(now, r), append(profiles, r.profile)
			}
		}
		v, err := verify.New(nil, profiles, g.turn, verify.NewCache(g.identity.auditClock), g.acceptUser)
		if err != nil {
			return nil, err
		}
		all, rules = append(all, userVerifier{v, now}), later
	}
	return all, nil
}

// useUsers puts a set in force for new calls.
func (g *Gate) useUsers(s *userSet) { g.userSet.Store(s) }

// endUntrusted ends what rests on keys that are not trusted any more.
func (g *Gate) endUntrusted() { g.identity.sessions.EndUntrusted() }

// checkUserRules finds issuers that are stated by rules and by options alike, and such as vouch for workloads as well.
func (g *Gate) checkUserRules(rules []*userRule) error {
	var errs []error
	issuers := make([]Issuer, 0, len(rules))
	for _, r := range rules {
		issuers = append(issuers, r.issuer)
		for _, other := range g.config.userIssuers {
			if r.issuer.sharesName(other) {
				errs = append(errs, fmt.Errorf("auth: Issuer %s is stated WithUserIssuers and at %s; keep one of them",
					quote.Text(other.Name), r.rule().Place))
			}
		}
	}
	return errors.Join(append(errs, checkTelling(g.config.issuers, issuers))...)
}

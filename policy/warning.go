package policy

import (
	"cmp"
	"slices"
	"strings"

	"github.com/parley-rpc/parley/principal"
)

// Warnings report what may surprise in a policy that has no mistake. They have the form of mistakes; they refuse
// nothing.
//
// A deny rule that compares a claim lets every token pass that does not have the claim. The remedy is a further deny
// rule about the same claim, with exists: false; a policy that means it so says exists: true. And where two layers
// list peers that have nobody in common, no call passes.
func (m Method) Warnings() []*Mistake {
	var warnings []*Mistake
	for _, auth := range []Auth{m.Auth, m.Trial} {
		warnings = append(warnings, auth.strangers(m.Name)...)
		for _, rule := range auth.Deny {
			for _, c := range rule.conditions() {
				if c.claim.Exists == nil && !auth.deniesWithout(c) {
					warnings = append(warnings, &Mistake{
						Source: rule.Source, Subject: cmp.Or(rule.Source.Reach, m.Name), Field: "auth.deny",
						Problem: "rule " + quote(rule.Name) + " lets pass every token without " + c.String() +
							"; if that is not meant, add a deny rule about it with exists: false",
					})
				}
			}
		}
	}
	return warnings
}

// strangers reports lists of peers of which no peer can match both.
func (a Auth) strangers(subject string) []*Mistake {
	var warnings []*Mistake
	for i, one := range a.Peers {
		for _, other := range a.Peers[i+1:] {
			common := slices.ContainsFunc(one.Value, func(p string) bool {
				return slices.ContainsFunc(other.Value, func(q string) bool { return mayOverlap(p, q) })
			})
			if !common {
				warnings = append(warnings, &Mistake{
					Source: other.Source, Subject: subject, Field: "auth.peers",
					Problem: "no peer can match both this list (" + strings.Join(other.Value, ", ") + ") and that of " +
						one.Source.String() + " (" + strings.Join(one.Value, ", ") +
						"), so no call passes; list a peer of both, or say access: denied",
				})
			}
		}
	}
	return warnings
}

// mayOverlap reports whether one peer could match both patterns. A bare name belongs to a trust domain that is not
// known here, so beside a full pattern it is taken for a name of that pattern's domain. What cannot be read is a
// mistake that is reported elsewhere.
func mayOverlap(p, q string) bool {
	if p == q {
		return true
	}
	domain, ok := domainOf(p)
	if !ok {
		domain, ok = domainOf(q)
	}
	if !ok {
		return strings.Contains(p+q, "://") // false for two bare names
	}
	one, err := domain.ParsePeer(p)
	if err != nil {
		return true
	}
	two, err := domain.ParsePeer(q)
	return err != nil || one.Overlaps(two)
}

// domainOf returns the trust domain of a full pattern.
func domainOf(pattern string) (principal.TrustDomain, bool) {
	full, err := principal.ParsePattern(pattern)
	if err != nil {
		return principal.TrustDomain{}, false
	}
	return full.TrustDomain(), true
}

// about is a condition on a claim of the caller or of the user.
type about struct {
	user  bool
	claim Claim
}

func (a about) String() string {
	path := "claim " + a.claim.name()
	if a.user {
		return "user " + path
	}
	return path
}

func (r Rule) conditions() []about {
	var all []about
	for _, c := range r.Claims {
		all = append(all, about{false, c})
	}
	if r.User != nil {
		for _, c := range r.User.Claims {
			all = append(all, about{true, c})
		}
	}
	return all
}

// deniesWithout reports whether a further rule denies every token without the claim: one that asks for nothing else.
func (a Auth) deniesWithout(c about) bool {
	return slices.ContainsFunc(a.Deny, func(rule Rule) bool {
		bare := len(rule.Peers)+len(rule.Audiences)+len(rule.Scopes)+len(rule.Predicates) == 0 && (rule.User != nil) == c.user &&
			(rule.User == nil || rule.User.namesAny() && len(rule.User.Scopes) == 0)
		conditions := rule.conditions()
		return bare && len(conditions) == 1 && conditions[0].user == c.user && conditions[0].claim.wantsAbsence() &&
			slices.Equal(conditions[0].claim.Path, c.claim.Path)
	})
}

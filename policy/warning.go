package policy

import "slices"

// Warnings report what may surprise in a policy that has no mistake: a deny rule that compares a claim lets every token
// pass that does not have the claim. The remedy is a further deny rule about the same claim, with exists: false; a policy
// that means it so says exists: true. Warnings have the form of mistakes; they refuse nothing.
func (m Method) Warnings() []*Mistake {
	var warnings []*Mistake
	for _, auth := range []Auth{m.Auth, m.Trial} {
		for _, rule := range auth.Deny {
			for _, c := range rule.conditions() {
				if c.claim.Exists == nil && !auth.deniesWithout(c) {
					warnings = append(warnings, &Mistake{
						Source: rule.Source, Subject: m.Name, Field: "auth.deny",
						Problem: "rule " + quote(rule.Name) + " lets pass every token without " + c.String() +
							"; if that is not meant, add a deny rule about it with exists: false",
					})
				}
			}
		}
	}
	return warnings
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
			(rule.User == nil || len(rule.User.Issuers)+len(rule.User.Subjects)+len(rule.User.Scopes) == 0)
		conditions := rule.conditions()
		return bare && len(conditions) == 1 && conditions[0].user == c.user && conditions[0].claim.wantsAbsence() &&
			slices.Equal(conditions[0].claim.Path, c.claim.Path)
	})
}

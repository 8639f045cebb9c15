package policy

import "slices"

// neverAsked says which rules of one layer are about users whom the layer itself does not accept.
func neverAsked(a Auth, subject string) []error {
	var errs []error
	for _, rule := range deadRules(a) {
		errs = append(errs, &Mistake{
			Source: rule.Source, Subject: subject, Field: "auth",
			Problem: "rule " + quote(rule.Name) +
				" can never hold, because auth.user.issuers (" + a.User.Issuers.Source.String() +
				") accepts none of the issuers that it names; mend one of the two",
		})
	}
	return errs
}

// deadRules are the rules about users whom the method does not accept.
func deadRules(a Auth) []Rule {
	if !a.User.Issuers.Stated() {
		return nil
	}
	var dead []Rule
	for _, rule := range a.Deny {
		if rule.beyond(a.User.Issuers.Value) {
			dead = append(dead, rule)
		}
	}
	for _, list := range a.Allow {
		for _, rule := range list.Value {
			if rule.beyond(a.User.Issuers.Value) {
				dead = append(dead, rule)
			}
		}
	}
	return dead
}

// beyond reports whether the rule is about users for whom none of the issuers vouches.
func (r Rule) beyond(issuers []string) bool {
	if r.User == nil || len(r.User.Issuers) == 0 {
		return false
	}
	return !slices.ContainsFunc(r.User.Issuers, func(issuer string) bool { return slices.Contains(issuers, issuer) })
}

// unsatisfiable reports what the merged terms of all layers demand that no caller could meet.
func unsatisfiable(t terms, subject string) []error {
	return append(t.auth.unsatisfiable(subject), t.trial.unsatisfiable(subject)...)
}

func (a Auth) unsatisfiable(subject string) []error {
	var errs []error
	wrong := func(source Source, field, problem string) {
		errs = append(errs, &Mistake{Source: source, Subject: subject, Field: field, Problem: problem})
	}
	if a.Access.Value == AccessPeers && len(a.Peers) == 0 {
		wrong(a.Access.Source, "auth.access",
			"access is peers, but no peers are listed anywhere, so no call could pass; list peers, or say denied")
	}
	issuers := a.User.Issuers
	if !issuers.Stated() {
		return errs
	}
	if len(issuers.Value) == 0 {
		wrong(issuers.Source, "auth.user.issuers",
			"no issuer is listed in all of these places, so no user could call; list a common one")
		return errs
	}
	for _, list := range a.Allow {
		if !slices.ContainsFunc(list.Value, func(rule Rule) bool { return !rule.beyond(issuers.Value) }) {
			wrong(list.Source, "auth.allow",
				"every rule is about users of issuers that auth.user.issuers ("+issuers.Source.String()+
					") does not accept, so no call could pass; correct one of the two")
		}
	}
	return errs
}

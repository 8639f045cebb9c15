package auth

import (
	"errors"
	"fmt"
	"slices"

	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

// What no call could fulfil is a mistake, found before the server starts.

// mayCall tells whether any workload of the pattern is let in at all.
func (g *Gate) mayCall(p principal.Pattern) bool { return g.identity.accepts(p.TrustDomain()) }

// checkTokens finds a demand for scopes or claims where no caller has any.
func (g *Gate) checkTokens() error {
	if g.config.bearer {
		return nil
	}
	return errors.New("it can never hold, because the server takes connections alone, whose callers have neither scopes nor claims; open the server WithBearer")
}

// neverMatched finds rules about callers whom the peers keep out: each such rule in the place that lists these peers, and,
// where places meet, a list of allow rules of which none is left.
func (d *demands) neverMatched(m policy.Method) error {
	var errs []error
	dead := func(list string, r *rule) {
		for i := range d.peers {
			if by := &d.peers[i]; by.source == r.stated.Source && by.keepsOut(r) {
				errs = append(errs, fmt.Errorf("%s: %s: auth.%s: rule %s can never hold, because auth.peers in the same place lists none of its peers; mend one of the two",
					by.source, m.Name, list, quote(r.stated.Name)))
			}
		}
	}
	for _, r := range d.deny {
		dead(askedDeny, r)
	}
	for _, list := range d.allow {
		keptOut := 0
		for _, r := range list.rules {
			dead(askedAllow, r)
			if slices.ContainsFunc(d.peers, func(by peerList) bool { return by.keepsOut(r) }) {
				keptOut++
			}
		}
		if keptOut == len(list.rules) {
			errs = append(errs, fmt.Errorf("%s: %s: auth.allow: nobody could call, because the peers keep out everybody whom its rules name; mend one of the two", list.source, m.Name))
		}
	}
	return errors.Join(errs...)
}

// keepsOut tells whether nobody whom the rule is about is among the peers.
func (l peerList) keepsOut(r *rule) bool {
	return len(r.peers) > 0 && !slices.ContainsFunc(r.peers, func(p principal.Pattern) bool {
		return slices.ContainsFunc(l.patterns, func(q principal.Pattern) bool { return p.Overlaps(q) })
	})
}

// checkUserDemand finds a demand for a user whom nobody vouches for.
func (g *Gate) checkUserDemand(m policy.Method, u policy.User) error {
	var errs []error
	if u.Presence.Value == policy.PresenceRequired {
		if err := g.checkIssuers(nil); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: auth.user.presence: %w", u.Presence.Source, m.Name, err))
		}
	}
	if u.Issuers.Stated() {
		if err := g.checkIssuers(u.Issuers.Value); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: auth.user.issuers: %w", u.Issuers.Source, m.Name, err))
		}
	}
	return errors.Join(errs...)
}

// checkIssuers finds a demand that no user can fulfil: nobody vouches for users, or none of the issuers does.
func (g *Gate) checkIssuers(issuers []string) error {
	if g.users == nil && g.transactions == nil {
		return errors.New("it can never hold, because nobody vouches for users; name somebody WithUserIssuers or WithTransactionTokens")
	}
	if len(issuers) == 0 {
		return nil
	}
	for _, issuer := range issuers {
		if g.users.knows(issuer) || g.transactions.knows(issuer) {
			return nil
		}
	}
	return fmt.Errorf("it can never hold, because the server takes the word of none of these issuers: %s; name one WithUserIssuers or WithTransactionTokens", quoteAll(issuers))
}

// knows tells whether tokens of the issuer are accepted in this place.
func (v *verifier) knows(issuer string) bool { return v != nil && v.issuers[issuer] != nil }

func quoteAll(words []string) string {
	text := ""
	for i, word := range words {
		if i > 0 {
			text += ", "
		}
		text += quote(word)
	}
	return text
}

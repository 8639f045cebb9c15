package decide

import (
	"errors"
	"fmt"
	"slices"

	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

// neverMatched finds rules that no call can match, which are mistakes found before the server starts: each rule about
// callers that the peers of the same place keep out, and each list of allow rules that the peers of other places leave
// without a rule.
func (req *requirements) neverMatched(m policy.Method) error {
	var errs []error
	checkRule := func(list string, r *rule) {
		for i := range req.peers {
			if by := &req.peers[i]; by.source == r.stated.Source && by.keepsOut(r) {
				errs = append(
					errs,
					fmt.Errorf(
						"%s: %s: auth.%s: rule %s can never hold, because auth.peers in the same place lists none of its peers; mend one of the two",
						by.source,
						m.Name,
						list,
						quote.Text(r.stated.Name),
					),
				)
			}
		}
	}
	for _, r := range req.deny {
		checkRule(askedDeny, r)
	}
	for _, list := range req.allow {
		keptOut := 0
		for _, r := range list.rules {
			checkRule(askedAllow, r)
			if slices.ContainsFunc(req.peers, func(by peerList) bool { return by.keepsOut(r) }) {
				keptOut++
			}
		}
		if keptOut == len(list.rules) {
			errs = append(
				errs,
				fmt.Errorf(
					"%s: %s: auth.allow: no caller can call, because the peers keep out all that its rules name; mend one of the two",
					list.source,
					m.Name,
				),
			)
		}
	}
	return errors.Join(errs...)
}

// keepsOut reports whether no caller that the rule is about is among the peers.
func (l peerList) keepsOut(r *rule) bool {
	return len(r.peers) > 0 && !slices.ContainsFunc(r.peers, func(p principal.Pattern) bool {
		return slices.ContainsFunc(l.patterns, func(q principal.Pattern) bool { return p.Overlaps(q) })
	})
}

// checkUser finds a requirement of a user for whom no issuer is accepted.
func checkUser(m policy.Method, u policy.User, s *Server) error {
	var errs []error
	if u.Presence.Value == policy.PresenceRequired {
		if err := s.checkIssuers(nil); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: auth.user.presence: %w", u.Presence.Source, m.Name, err))
		}
	}
	// Where no user need be, a wide statement may meet a server that takes none.
	if u.Issuers.Stated() && (u.Issuers.Source.Reach == "" || u.Presence.Value == policy.PresenceRequired) {
		if err := s.checkIssuers(u.Issuers.Value); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: auth.user.issuers: %w", u.Issuers.Source, m.Name, err))
		}
	}
	return errors.Join(errs...)
}

package decide

import (
	"errors"
	"fmt"
	"slices"

	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

// A requirement that no call could meet is a mistake, found before the server starts.

// neverMatched finds rules about callers whom the peers keep out: each such rule in the place that lists these peers,
// and, where places meet, a list of allow rules of which none is left.
func (d *requirements) neverMatched(m policy.Method) error {
	var errs []error
	dead := func(list string, r *rule) {
		for i := range d.peers {
			if by := &d.peers[i]; by.source == r.stated.Source && by.keepsOut(r) {
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
			errs = append(
				errs,
				fmt.Errorf(
					"%s: %s: auth.allow: no caller could call, because the peers keep out all that its rules name; mend one of the two",
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

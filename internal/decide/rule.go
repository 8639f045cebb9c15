package decide

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

// rule is a rule of the policy, compiled.
type rule struct {
	stated     policy.Rule
	peers      []principal.Pattern
	predicates []*Predicate
}

// The lists of rules.
const (
	askedDeny  = "deny"
	askedAllow = "allow"
)

// match is how well a call fits a rule.
type match int

const (
	// Something else than scopes and claims is in the way.
	misses match = iota
	// Only scopes or claims of a token are missing.
	lacks
	// Everything holds.
	fits
	// A predicate panicked.
	broke
)

// match asks first what the caller cannot mend with another token.
func (r *rule) match(ctx context.Context, call *policy.Call) match {
	s, peer := &r.stated, call.Peer
	if r.aboutPeer() {
		if peer == nil || len(r.peers) > 0 && !principal.MatchesAny(r.peers, peer.ID) ||
			!hasAny(s.Audiences, peer.Audiences...) {
			return misses
		}
	}
	if u := s.User; u != nil {
		if call.User == nil || !u.Names(call.User.Issuer, call.User.Subject) {
			return misses
		}
	}
	for _, p := range r.predicates {
		switch holds, ok := p.ask(ctx, *call); {
		case !ok:
			return broke
		case !holds:
			return misses
		}
	}
	if r.aboutPeer() && (!hasAll(peer.Scopes, s.Scopes) || !holdAll(s.Claims, peer.Claims)) {
		return lacks
	}
	if u := s.User; u != nil && (!hasAll(call.User.Scopes, u.Scopes) || !holdAll(u.Claims, call.User.Claims)) {
		return lacks
	}
	return fits
}

// aboutPeer reports whether the rule states anything about the caller. Such a rule holds only for one that is proven.
func (r *rule) aboutPeer() bool {
	s := &r.stated
	return len(s.Peers)+len(s.Audiences)+len(s.Scopes)+len(s.Claims) > 0
}

// compileRules compiles the rules of one place.
func compileRules(m policy.Method, list string, stated []policy.Rule, server *Server) ([]*rule, error) {
	rules := make([]*rule, 0, len(stated))
	var errs []error
	for _, s := range stated {
		r, err := compileRule(s, server, list)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: auth.%s: rule %s: %w", s.Source, m.Name, list, quote.Text(s.Name), err))
		}
		rules = append(rules, r)
	}
	return rules, errors.Join(errs...)
}

// compileRule reports a rule that can never hold here, unless it only refuses and is stated for many services at once:
// some of them may take no tokens, or no users.
func compileRule(s policy.Rule, server *Server, list string) (*rule, error) {
	r := &rule{stated: s}
	var errs, never []error
	for _, text := range s.Peers {
		p, err := server.Domain.ParsePeer(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("peers: %w", err))
			continue
		}
		r.peers = append(r.peers, p)
	}
	if len(errs) == 0 {
		never = append(never, server.checkPeers(r.peers))
	}
	for _, name := range s.Predicates {
		p, err := server.predicate(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		r.predicates = append(r.predicates, p)
	}
	if len(s.Scopes)+len(s.Claims) > 0 {
		never = append(never, server.checkTokens())
	}
	if s.User != nil {
		never = append(never, server.checkIssuers(s.User.Issuers))
	}
	if list != askedDeny || s.Source.Reach == "" {
		errs = append(errs, never...)
	}
	return r, errors.Join(errs...)
}

// holdAll reports whether every condition holds for the claims.
func holdAll(conditions []policy.Claim, claims principal.Claims) bool {
	for i := range conditions {
		if !policy.Holds(&conditions[i], claims.Lookup(conditions[i].Path)) {
			return false
		}
	}
	return true
}

// hasAll reports whether every wanted word is among the words that are there.
func hasAll(there, wanted []string) bool {
	for _, word := range wanted {
		if !slices.Contains(there, word) {
			return false
		}
	}
	return true
}

// hasAny reports whether one of the words is among the accepted ones. No accepted ones accept every word.
func hasAny(accepted []string, words ...string) bool {
	if len(accepted) == 0 {
		return true
	}
	for _, word := range words {
		if slices.Contains(accepted, word) {
			return true
		}
	}
	return false
}

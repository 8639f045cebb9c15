package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

// rule is a rule of the policy, compiled.
type rule struct {
	stated     policy.Rule
	peers      []principal.Pattern
	predicates []*namedPredicate
}

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
func (r *rule) match(ctx context.Context, call *Call) match {
	s, peer := &r.stated, call.Peer
	if r.aboutPeer() {
		if peer == nil || len(r.peers) > 0 && !principal.MatchesAny(r.peers, peer.ID) || !hasAny(s.Audiences, peer.Audiences...) {
			return misses
		}
	}
	if u := s.User; u != nil {
		if call.User == nil || !hasAny(u.Issuers, call.User.Issuer) || !hasAny(u.Subjects, call.User.Subject) {
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

// aboutPeer tells whether the rule states anything about the caller. Such a rule holds only for one that is proven.
func (r *rule) aboutPeer() bool {
	s := &r.stated
	return len(s.Peers)+len(s.Audiences)+len(s.Scopes)+len(s.Claims) > 0
}

// compileRules compiles the rules of one place.
func (g *Gate) compileRules(m policy.Method, list string, stated []policy.Rule) ([]*rule, error) {
	rules := make([]*rule, 0, len(stated))
	var errs []error
	for _, s := range stated {
		r, err := g.compileRule(s)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: auth.%s: rule %s: %w", s.Source, m.Name, list, quote(s.Name), err))
		}
		rules = append(rules, r)
	}
	return rules, errors.Join(errs...)
}

func (g *Gate) compileRule(s policy.Rule) (*rule, error) {
	r := &rule{stated: s}
	var errs []error
	for _, text := range s.Peers {
		p, err := g.identity.self.TrustDomain().ParsePeer(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("peers: %w", err))
			continue
		}
		r.peers = append(r.peers, p)
	}
	if len(errs) == 0 && len(r.peers) > 0 && !slices.ContainsFunc(r.peers, g.mayCall) {
		errs = append(errs, errors.New("it can never hold, because the server accepts nobody of the trust domains of its peers; accept one WithAcceptDomains"))
	}
	for _, name := range s.Predicates {
		p := g.predicate(name)
		if p == nil {
			errs = append(errs, fmt.Errorf("the server has no predicate %s; %s", quote(name), g.predicateAdvice()))
			continue
		}
		r.predicates = append(r.predicates, p)
	}
	if len(s.Scopes)+len(s.Claims) > 0 {
		errs = append(errs, g.checkTokens())
	}
	if s.User != nil {
		errs = append(errs, g.checkIssuers(s.User.Issuers))
	}
	return r, errors.Join(errs...)
}

func (g *Gate) predicate(name string) *namedPredicate {
	for i := range g.config.predicates {
		if p := &g.config.predicates[i]; p.name == name && p.test != nil {
			return p
		}
	}
	return nil
}

func (g *Gate) predicateAdvice() string {
	if len(g.config.predicates) == 0 {
		return "give it one WithPredicate"
	}
	names := make([]string, len(g.config.predicates))
	for i, p := range g.config.predicates {
		names[i] = p.name
	}
	return "it has " + strings.Join(names, ", ")
}

func (g *Gate) checkPredicates() error {
	var errs []error
	seen := map[string]bool{}
	for _, p := range g.config.predicates {
		switch {
		case p.name == "":
			errs = append(errs, errors.New("auth: WithPredicate: the name is empty"))
		case p.test == nil:
			errs = append(errs, fmt.Errorf("auth: WithPredicate(%q): the function is nil", p.name))
		case seen[p.name]:
			errs = append(errs, fmt.Errorf("auth: WithPredicate(%q): the name is there twice", p.name))
		}
		seen[p.name] = true
	}
	return errors.Join(errs...)
}

package decide

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

// Server describes what a server can prove of its callers, and what it knows beside the policy.
type Server struct {
	// Domain is the own trust domain, which peers without one are of.
	Domain principal.TrustDomain
	// Accepts reports whether the server accepts callers of a trust domain at all.
	Accepts func(principal.TrustDomain) bool
	// Tokens says that callers may send bearer tokens. Only these hold scopes and claims.
	Tokens bool
	// UserIssuers are the issuers whose tokens of end users are accepted.
	UserIssuers []string
	// Predicates are the conditions of the program, which rules name.
	Predicates []Predicate
	// StepUp says that the server tells a caller when only the scopes or claims of its token are the reason of a refusal.
	StepUp bool
}

// Predicate is a condition of the program under its name.
type Predicate struct {
	Name string
	Test policy.Predicate
}

// ask reports ok as false when the predicate panicked.
func (p *Predicate) ask(ctx context.Context, call policy.Call) (holds, ok bool) {
	defer func() {
		if recover() != nil {
			holds, ok = false, false
		}
	}()
	return p.Test(ctx, call), true
}

// Check returns every mistake in the predicates, joined.
func (s *Server) Check() error {
	var errs []error
	seen := map[string]bool{}
	for _, p := range s.Predicates {
		switch {
		case p.Name == "":
			errs = append(errs, errors.New("auth: WithPredicate: the name is empty"))
		case p.Test == nil:
			errs = append(errs, fmt.Errorf("auth: WithPredicate(%q): the function is nil", p.Name))
		case seen[p.Name]:
			errs = append(errs, fmt.Errorf("auth: WithPredicate(%q): the name is there twice", p.Name))
		}
		seen[p.Name] = true
	}
	return errors.Join(errs...)
}

func (s *Server) predicate(name string) (*Predicate, error) {
	for i := range s.Predicates {
		if p := &s.Predicates[i]; p.Name == name && p.Test != nil {
			return p, nil
		}
	}
	advice := "give it one WithPredicate"
	if len(s.Predicates) > 0 {
		names := make([]string, len(s.Predicates))
		for i, p := range s.Predicates {
			names[i] = p.Name
		}
		advice = "it has " + strings.Join(names, ", ")
	}
	return nil, fmt.Errorf("the server has no predicate %s; %s", quote.Text(name), advice)
}

// checkPeers finds patterns of which no caller is accepted.
func (s *Server) checkPeers(patterns []principal.Pattern) error {
	if len(patterns) == 0 ||
		slices.ContainsFunc(patterns, func(p principal.Pattern) bool { return s.Accepts(p.TrustDomain()) }) {
		return nil
	}
	return errors.New("it can never hold, because the server accepts no caller of the trust domains of its peers; " +
		"accept one in identity.accept_domains, or WithAcceptDomains")
}

// checkTokens finds a requirement of scopes or claims where no caller has any.
func (s *Server) checkTokens() error {
	if s.Tokens {
		return nil
	}
	return errors.New("it can never hold, because the server takes connections alone, whose callers have neither scopes " +
		"nor claims; let it take tokens, with token in its carriers, or WithBearer")
}

// checkIssuers finds a requirement that no user can meet: no issuer of users is accepted, or none of these.
func (s *Server) checkIssuers(issuers []string) error {
	if len(s.UserIssuers) == 0 {
		return errors.New("it can never hold, because the server accepts no issuer of users; " +
			"name one in users.issuers, or WithUserIssuers or WithTransactionTokens")
	}
	accepted := func(issuer string) bool { return slices.Contains(s.UserIssuers, issuer) }
	if len(issuers) == 0 || slices.ContainsFunc(issuers, accepted) {
		return nil
	}
	return fmt.Errorf("it can never hold, because the server accepts none of these issuers: %s; "+
		"name one in users.issuers, or WithUserIssuers or WithTransactionTokens", quote.List(issuers))
}

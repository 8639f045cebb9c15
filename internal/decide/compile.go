package decide

import (
	"errors"
	"fmt"

	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

// compile compiles the part a of the policy of a method. The requirements are never nil, and complete only without an
// error.
func compile(m policy.Method, a policy.Auth, s *Server) (*requirements, error) {
	req := &requirements{access: a.Access, carrier: a.Carrier, scopes: a.Scopes, user: a.User, stepUp: s.StepUp}
	var errs []error
	for _, stated := range a.Peers {
		patterns := make([]principal.Pattern, 0, len(stated.Value))
		for _, text := range stated.Value {
			p, err := s.Domain.ParsePeer(text)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %s: auth.peers: %w", stated.Source, m.Name, err))
				continue
			}
			patterns = append(patterns, p)
		}
		req.peers = append(req.peers, peerList{patterns, stated.Source})
	}
	var err error
	req.deny, err = compileRules(m, askedDeny, a.Deny, s)
	errs = append(errs, err)
	for _, stated := range a.Allow {
		rules, err := compileRules(m, askedAllow, stated.Value, s)
		errs = append(errs, err)
		req.allow = append(req.allow, allowList{rules, stated.Source})
	}
	for _, guard := range a.Guards {
		compiled, err := guard.Compile(m.Name, s.Domain)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", m.Name, err))
		}
		if compiled != nil {
			req.guards = append(req.guards, compiled)
		}
	}
	if len(req.peers) > 0 && errors.Join(errs...) == nil {
		errs = append(errs, req.neverMatched(m))
	}
	if a.Scopes.Stated() {
		if err := s.checkTokens(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: auth.scopes: %w", a.Scopes.Source, m.Name, err))
		}
	}
	return req, errors.Join(append(errs, checkUser(m, a.User, s))...)
}

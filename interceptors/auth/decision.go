package auth

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/rpcerr"
)

// UndecidedError names the methods for which nobody decided who may call them.
type UndecidedError struct {
	// Methods are their full names, sorted.
	Methods []string
}

// Error names the methods and says where a decision is stated.
func (e *UndecidedError) Error() string {
	return fmt.Sprintf("auth: nobody decided who may call %s: state it in the .proto, with "+
		"option (parley.policy.v1.method) = {auth: {access: ACCESS_AUTHENTICATED}} in the rpc or (parley.policy.v1.service) in the "+
		"service, or in a layer of the policy table", strings.Join(e.Methods, ", "))
}

// decision is who may call one method, compiled from its policy.
type decision struct {
	access  policy.Access
	carrier policy.Carrier
	peers   [][]Pattern // the caller must match one pattern of each
	scopes  []string
	proof   policy.Proof
	source  policy.Source
}

// decide compiles the policy of a method for a server of the trust domain.
func decide(own TrustDomain, m policy.Method) (*decision, error) {
	if m.Auth.Access.Value == policy.AccessUnspecified {
		return nil, &UndecidedError{Methods: []string{m.Name}}
	}
	d := &decision{
		access:  m.Auth.Access.Value,
		carrier: m.Auth.Carrier.Value,
		scopes:  m.Auth.Scopes.Value,
		proof:   m.Auth.Proof.Value,
		source:  m.Auth.Access.Source,
	}
	var errs []error
	for _, stated := range m.Auth.Peers {
		patterns := make([]Pattern, 0, len(stated.Value))
		for _, text := range stated.Value {
			p, err := own.ParsePeer(text)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %s: auth.peers: %w", stated.Source, m.Name, err))
				continue
			}
			patterns = append(patterns, p)
		}
		d.peers = append(d.peers, patterns)
	}
	return d, errors.Join(errs...)
}

// proven tells whether the method is only for callers that have proven who they are.
func (d *decision) proven() bool {
	return d.access != policy.AccessAnonymous || d.carrier != policy.CarrierUnspecified || len(d.peers) != 0 || len(d.scopes) != 0
}

// judge decides on a caller, which is nil when it has proven nothing. Its error is a refusal.
func (d *decision) judge(caller *Peer) error {
	if !d.proven() {
		return nil
	}
	if caller == nil {
		return refuse(rpcerr.CredentialsMissing, nil)
	}
	if err := d.objection(caller); err != nil {
		return refuse(rpcerr.PolicyDenied, err)
	}
	return nil
}

// objection is why the policy says no to a proven caller.
func (d *decision) objection(caller *Peer) error {
	switch d.access {
	case policy.AccessAnonymous, policy.AccessAuthenticated:
	case policy.AccessPeers:
		if len(d.peers) == 0 {
			return errors.New("no peers are listed")
		}
	case policy.AccessDenied:
		return errors.New("access is denied to everybody")
	case policy.AccessUnspecified:
		return errors.New("nobody decided who may call")
	default:
		return fmt.Errorf("unknown access level %d", d.access)
	}
	if caller.Carrier < d.carrier {
		return fmt.Errorf("the caller came by %v, the method demands %v", caller.Carrier, d.carrier)
	}
	for _, patterns := range d.peers {
		if !matchesAny(patterns, caller.ID) {
			return errors.New("the caller is not among the peers")
		}
	}
	for _, scope := range d.scopes {
		if !slices.Contains(caller.Scopes, scope) {
			return errors.New("the caller's token lacks scope " + scope)
		}
	}
	return nil
}

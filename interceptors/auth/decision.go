package auth

import (
	"errors"
	"fmt"
	"strings"

	"github.com/parley-rpc/parley/policy"
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

// decision is who may call one method, compiled from its policy: what is in force, and what is only tried.
type decision struct {
	force demands
	trial *demands
	proof policy.Proof
	// What may surprise in the policy.
	warnings []*policy.Mistake
}

// decide compiles the policy of a method.
func (g *Gate) decide(m policy.Method) (*decision, error) {
	if m.Auth.Access.Value == policy.AccessUnspecified {
		return nil, &UndecidedError{Methods: []string{m.Name}}
	}
	force, err := g.demand(m, m.Auth)
	d := &decision{force: *force, proof: m.Auth.Proof.Value, warnings: m.Warnings()}
	errs := []error{err}
	if onTrial(m.Trial) {
		d.trial, err = g.demand(m, m.Trial)
		errs = append(errs, err)
	}
	return d, errors.Join(errs...)
}

// onTrial tells whether anything is stated.
func onTrial(a policy.Auth) bool {
	return a.Access.Stated() || a.Carrier.Stated() || len(a.Deny) > 0 || a.User.Stated()
}

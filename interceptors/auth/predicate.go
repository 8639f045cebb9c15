package auth

import (
	"context"
	"fmt"

	"github.com/parley-rpc/parley/principal"
)

// Call is what is known of a call when it is decided upon.
type Call struct {
	// Method is its full name.
	Method string
	// Peer is the proven caller, or nil when it has proven nothing. It must not be changed.
	Peer *principal.Peer
	// User is the end user, or nil when the call names none. It must not be changed.
	User *principal.User
	// Request is the decoded message of a unary call. It is nil for a stream, and must not be changed.
	Request any
}

// Predicate is a condition of the program's own, which rules of the policy name. It must be quick and safe for concurrent
// use. When it panics, the call is refused, whatever the rule.
type Predicate func(ctx context.Context, call Call) bool

// WithPredicate gives a meaning to a name that rules list under predicates. A policy that names a predicate which the server
// does not have is a mistake, reported by [Gate.Resolve].
func WithPredicate(name string, p Predicate) ServerOption {
	return serverOption{fmt.Sprintf("auth.WithPredicate(%q)", name), func(c *serverConfig) {
		c.predicates = append(c.predicates, namedPredicate{name, p})
	}}
}

type namedPredicate struct {
	name string
	test Predicate
}

// ask reports ok as false when the predicate panicked.
func (p *namedPredicate) ask(ctx context.Context, call Call) (holds, ok bool) {
	defer func() {
		if recover() != nil {
			holds, ok = false, false
		}
	}()
	return p.test(ctx, call), true
}

package policy

import (
	"context"
	"fmt"
	"slices"

	"github.com/parley-rpc/parley/principal"
)

// Guard judges calls by rules that the schema of policies cannot state, such as those of a mesh. It only narrows: a
// call passes if it meets the policy of its method and every guard of it. A Guard never changes and is safe for
// concurrent use.
type Guard interface {
	// String names the guard and says where its rules stand, in one line.
	fmt.Stringer
	// Compile returns the guard of one method ("/package.Service/Method") on a server of a trust domain, and nil where
	// it lets every call of the method pass. Its error says what cannot be enforced there; the method is then refused.
	Compile(method string, domain principal.TrustDomain) (MethodGuard, error)
	// Same reports whether other judges every call alike, so that a guard that two layers state is asked once.
	Same(other Guard) bool
}

// MethodGuard is a [Guard], compiled for one method. It is safe for concurrent use.
type MethodGuard interface {
	// Judge returns why a call must be refused, and nil where it may pass. It is asked for each call: it must be quick,
	// allocate nothing and keep nothing of the call. What is not in the call stands in the context: the addresses of the
	// connection, as [google.golang.org/grpc/peer] has them, and the metadata received.
	Judge(ctx context.Context, call Call) *Objection
	// Explain is Judge with the questions that were asked on the way, up to the one that decided.
	Explain(ctx context.Context, call Call) (*Objection, []Step)
}

// Objection is why a guard refuses a call. It is made before the first call, and shared.
type Objection struct {
	// Why is the reason in words. It is for operators, and never says what a token holds.
	Why string
	// Rule is the name of the rule that decided, or "" where none did.
	Rule string
	// Source is where the rule is stated.
	Source Source
}

// everyGuard holds every guard of a and b once.
func everyGuard(a, b []Guard) []Guard {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	}
	all := slices.Clone(a)
	for _, guard := range b {
		if !slices.ContainsFunc(all, guard.Same) {
			all = append(all, guard)
		}
	}
	return all
}

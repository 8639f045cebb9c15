package framework

import (
	"maps"
	"slices"
	"sync"

	"github.com/parley-rpc/parley/interceptors/retry"
)

// budgets finds the retrier that owns the retry budget of a target: what the retries of a program may cost a service
// does not depend on how many clients of it there are.
type budgets struct {
	mu     sync.Mutex
	owners map[string]*retry.Retrier
}

// join makes a retrier for target. The first one owns the budget, and is made with what only the owner needs.
func (b *budgets) join(target string, of func(...retry.Option) *retry.Retrier, owners ...retry.Option) *retry.Retrier {
	b.mu.Lock()
	defer b.mu.Unlock()
	if owner := b.owners[target]; owner != nil {
		return of(retry.WithBudgetOf(owner))
	}
	if b.owners == nil {
		b.owners = map[string]*retry.Retrier{}
	}
	owner := of(owners...)
	b.owners[target] = owner
	return owner
}

// each yields the targets in order, with the owners of their budgets.
func (b *budgets) each(yield func(string, *retry.Retrier) bool) {
	b.mu.Lock()
	owners := maps.Clone(b.owners)
	b.mu.Unlock()
	for _, target := range slices.Sorted(maps.Keys(owners)) {
		if !yield(target, owners[target]) {
			return
		}
	}
}

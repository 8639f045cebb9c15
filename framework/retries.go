package framework

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/parley-rpc/parley/admin"
	"github.com/parley-rpc/parley/interceptors/retry"
)

// budgets finds the retrier that owns the retry budget of a target. All clients of a target share one budget, so that
// the cost of a program's retries does not depend on the number of its clients.
type budgets struct {
	mu     sync.Mutex
	owners map[string]*retry.Retrier
}

// join makes a retrier for target. The first retrier owns the budget, and gets the options that only the owner needs.
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

// each yields the targets in order, each with the owner of its budget.
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

// budgetHistory keeps the recent balances of the retry budgets, for the admin page.
type budgetHistory struct {
	of *budgets

	mu       sync.Mutex
	balances map[string][]float64 // by target, the oldest first
}

// run records the balances until ctx ends.
func (h *budgetHistory) run(ctx context.Context) error {
	ticker := time.NewTicker(budgetInterval)
	defer ticker.Stop()
	for {
		h.note()
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (h *budgetHistory) note() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.balances == nil {
		h.balances = map[string][]float64{}
	}
	for target, retrier := range h.of.each {
		kept := append(h.balances[target], retrier.BudgetBalance())
		h.balances[target] = kept[max(0, len(kept)-budgetPoints):]
	}
}

func (h *budgetHistory) charts() []admin.Chart {
	h.mu.Lock()
	defer h.mu.Unlock()
	var charts []admin.Chart
	for target, retrier := range h.of.each {
		charts = append(charts, admin.Chart{
			Title: target, About: "Retry budgets, in retries", Max: retrier.BudgetMax(), Interval: budgetInterval,
			Values: append(append([]float64(nil), h.balances[target]...), retrier.BudgetBalance()),
		})
	}
	return charts
}

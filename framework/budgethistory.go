package framework

import (
	"context"
	"sync"
	"time"

	"github.com/parley-rpc/parley/admin"
)

// budgetHistory is how full the retry budgets were lately, for the admin page.
type budgetHistory struct {
	app *App

	mu       sync.Mutex
	balances map[string][]float64 // by target, the oldest first
}

// run notes the balances until ctx ends.
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
	for target, retrier := range h.app.budgets.each {
		kept := append(h.balances[target], retrier.BudgetBalance())
		h.balances[target] = kept[max(0, len(kept)-budgetPoints):]
	}
}

func (h *budgetHistory) charts() []admin.Chart {
	h.mu.Lock()
	defer h.mu.Unlock()
	var charts []admin.Chart
	for target, retrier := range h.app.budgets.each {
		charts = append(charts, admin.Chart{
			Title: target, About: "Retry budgets, in retries", Max: retrier.BudgetMax(), Interval: budgetInterval,
			Values: append(append([]float64(nil), h.balances[target]...), retrier.BudgetBalance()),
		})
	}
	return charts
}

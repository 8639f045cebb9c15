package framework

import (
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/grpc/connectivity"

	"github.com/parley-rpc/parley/admin"
	"github.com/parley-rpc/parley/discovery"
)

// adminHandler is the admin surface of the App.
func (a *App) adminHandler(r *run) *admin.Handler {
	sections := []admin.Section{{
		Title:   "Servers",
		Columns: []string{"address", "service", "calls in flight", "state"},
		Rows:    func() []admin.Row { return r.serverRows() },
		Empty:   "This program serves nothing.",
	}, {
		Title:   "Clients",
		Columns: []string{"name", "target", "connection"},
		Rows:    a.clientRows,
		Empty:   "This program calls nothing.",
	}, {
		Title:   "Retry budgets",
		Columns: []string{"target", "left", "spent", "refused"},
		Rows:    a.budgetRows,
		Empty:   "Nothing has been called yet.",
	}}
	if registry := a.parts.registry; registry != nil {
		sections = append(sections, admin.Section{
			Title:   "Endpoints",
			Columns: []string{"service", "instance", "addresses", "state"},
			Rows:    func() []admin.Row { return endpointRows(registry) },
			Empty:   "No service has been looked up in " + registry.String() + " yet.",
		})
	}
	return admin.New(admin.Config{
		Service:  a.name,
		Ring:     a.parts.ring,
		Describe: a.Describe,
		Sections: sections,
		LogLevel: a.logLevel,
		Mounts:   a.mounts,
	})
}

func (r *run) serverRows() []admin.Row {
	state, mark := "ready", admin.Good
	if !r.app.ready.Load() {
		state, mark = "not ready", admin.Bad
	}
	var rows []admin.Row
	for _, s := range r.servers {
		rows = append(rows, admin.Row{State: mark, Cells: []string{
			s.bound.Addr().String(), s.service, strconv.FormatInt(s.inFlight.total(), 10), state,
		}})
	}
	return rows
}

func (a *App) clientRows() []admin.Row {
	a.mu.Lock()
	clients := a.clients
	a.mu.Unlock()
	var rows []admin.Row
	for _, c := range clients {
		row := admin.Row{Cells: []string{c.name, c.effectiveTarget(), "not used yet"}}
		if ch := c.open.Load(); ch != nil {
			state := ch.conn.GetState()
			row.Cells[2], row.State = strings.ToLower(strings.ReplaceAll(state.String(), "_", " ")), connectionMark(state)
		}
		rows = append(rows, row)
	}
	return rows
}

// budgetRows show what the retries of this program may still cost each service.
func (a *App) budgetRows() []admin.Row {
	var rows []admin.Row
	for target, retrier := range a.budgets.each {
		spent, refused := retrier.BudgetUse()
		row := admin.Row{State: admin.Good, Cells: []string{
			target, fmt.Sprintf("%.1f", retrier.BudgetBalance()), strconv.FormatInt(spent, 10), strconv.FormatInt(refused, 10),
		}}
		if retrier.BudgetBalance() < 1 {
			row.State = admin.Bad
		}
		rows = append(rows, row)
	}
	return rows
}

func connectionMark(state connectivity.State) admin.State {
	switch state {
	case connectivity.Ready:
		return admin.Good
	case connectivity.TransientFailure:
		return admin.Bad
	case connectivity.Idle, connectivity.Connecting, connectivity.Shutdown:
	}
	return ""
}

func endpointRows(registry *discovery.Registry) []admin.Row {
	var rows []admin.Row
	for _, service := range registry.Snapshot().Services {
		row := func(in discovery.Instance, mark admin.State, state string) {
			rows = append(rows, admin.Row{State: mark, Cells: []string{service.Service, in.ID, strings.Join(in.Addresses, ", "), state}})
		}
		listed := make(map[string]bool, len(service.Listed))
		for _, in := range service.Listed {
			listed[in.ID] = true
			if in.Draining {
				row(in, admin.Warning, "draining")
			} else {
				row(in, admin.Good, "in use")
			}
		}
		for _, in := range service.State.Instances {
			if !listed[in.ID] {
				row(in, admin.Warning, "held, though not listed any more")
			}
		}
		if err := service.State.Err; err != nil {
			rows = append(rows, admin.Row{State: admin.Bad, Cells: []string{service.Service, "", "", err.Error()}})
		}
	}
	return rows
}

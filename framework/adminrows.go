package framework

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/connectivity"

	"github.com/parley-rpc/parley/admin"
	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/keyset"
)

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
	var rows []admin.Row
	for _, c := range a.allClients() {
		row := admin.Row{Cells: []string{c.name, c.effectiveTarget(), "not used yet", ""}}
		if ch := c.open.Load(); ch != nil {
			state := ch.conn.GetState()
			row.Cells[2], row.State = strings.ToLower(strings.ReplaceAll(state.String(), "_", " ")), connectionMark(state)
			endpoints, _ := ch.states.Count()
			row.Cells[3] = endpoints.String()
		}
		rows = append(rows, row)
	}
	return rows
}

func (a *App) allClients() []*Client {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.clients
}

// routeRows returns what the routes of a mesh state about the hosts that the clients call.
func (a *App) routeRows() []admin.Row {
	var rows []admin.Row
	for _, c := range a.allClients() {
		for _, s := range c.table().Statements() {
			rows = append(rows, admin.Row{Cells: []string{c.name, c.meshHost(), s.Name, s.Value, s.Source}})
		}
	}
	return rows
}

// budgetRows returns the retry budget of each called service.
func (a *App) budgetRows() []admin.Row {
	var rows []admin.Row
	for target, retrier := range a.budgets.each {
		spent, refused := retrier.BudgetUse()
		row := admin.Row{State: admin.Good, Cells: []string{
			target, fmt.Sprintf("%.1f of %g", retrier.BudgetBalance(), retrier.BudgetMax()), strconv.FormatInt(spent, 10),
			strconv.FormatInt(refused, 10),
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
			rows = append(
				rows,
				admin.Row{State: mark, Cells: []string{service.Service, in.ID, strings.Join(in.Addresses, ", "), state}},
			)
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
				row(in, admin.Warning, "held, no longer listed by the engine")
			}
		}
		if err := service.State.Err; err != nil {
			rows = append(rows, admin.Row{State: admin.Bad, Cells: []string{service.Service, "", "", err.Error()}})
		}
	}
	return rows
}

func connectionRows(identity *auth.Identity) []admin.Row {
	now := time.Now()
	var rows []admin.Row
	for _, c := range identity.Connections() {
		direction := "outgoing"
		if c.Role == "server" {
			direction = "incoming"
		}
		rows = append(rows, admin.Row{State: admin.Good, Cells: []string{
			c.Peer.ID.String(), direction, c.Remote.String(), age(now.Sub(c.Since)), age(c.Peer.Expires.Sub(now)),
			c.Peer.KeyID[:min(12, len(c.Peer.KeyID))],
		}})
	}
	return rows
}

func trustRows(identity *auth.Identity) []admin.Row {
	var rows []admin.Row
	for _, trust := range identity.Trust() {
		row := admin.Row{State: admin.Good, Cells: []string{
			trust.Of, trust.Source, strconv.Itoa(trust.Keys), "never", "", "up to date",
		}}
		if !trust.Read.IsZero() {
			row.Cells[3] = age(time.Since(trust.Read)) + " ago"
		}
		if !trust.Ends.IsZero() {
			row.Cells[4] = age(time.Until(trust.Ends))
		}
		if trust.NearlyFull() {
			row.State, row.Cells[5] = admin.Warning, fmt.Sprintf("holds %d of at most %d files", trust.Files, trust.Limit)
		}
		if trust.Err != nil {
			row.State, row.Cells[5] = admin.Bad, trust.Err.Error()
		}
		rows = append(rows, row)
		for _, err := range trust.Skipped {
			rows = append(
				rows,
				admin.Row{State: admin.Warning, Cells: []string{trust.Of, "", "", "", "", "skipped " + err.Error()}},
			)
		}
	}
	return rows
}

func outcomeRows(identity *auth.Identity) []admin.Row {
	counts := identity.Outcomes()
	order := func(a, b auth.Outcome) int {
		return cmp.Or(-cmp.Compare(a.Of, b.Of), cmp.Compare(a.Role, b.Role), cmp.Compare(a.Result, b.Result))
	}
	var rows []admin.Row
	for _, o := range slices.SortedFunc(maps.Keys(counts), order) {
		state := admin.Warning
		if o.Result == "proven" {
			state = admin.Good
		}
		result := strings.ToLower(strings.ReplaceAll(o.Result, "_", " "))
		rows = append(rows, admin.Row{State: state, Cells: []string{o.Of, o.Role, result, strconv.FormatUint(counts[o], 10)}})
	}
	return rows
}

// refusals returns the recent refusals of the identity, newest first.
func (a *App) refusals() []admin.Refusal {
	identity := a.parts.identity
	if identity == nil {
		return nil
	}
	var list []admin.Refusal
	for _, r := range identity.Refusals() {
		shown := admin.Refusal{
			Of: r.Of, Last: r.Last, First: r.First, Times: r.Times, User: r.User, Address: r.Address, Agent: r.Agent,
			Method: strings.TrimPrefix(r.Method, "/"), Reason: string(r.Reason), Cause: r.Cause, Decided: r.Decided,
		}
		if !r.Peer.IsZero() {
			shown.Peer = r.Peer.String()
		}
		list = append(list, shown)
	}
	return list
}

// traffic returns the counts of calls from the metrics of the App. It ignores errors, which a scrape of the metrics
// reports.
func (a *App) traffic() []admin.Counts {
	if a.parts.telemetry == nil {
		return nil
	}
	counted, _ := a.parts.telemetry.Traffic()
	counts := make([]admin.Counts, len(counted))
	for i, of := range counted {
		counts[i] = admin.Counts{
			Method: of.Method, Target: of.Target, Calls: of.Calls, Failed: of.Failed, Duration: of.Duration,
		}
		for _, within := range of.Within {
			counts[i].Within = append(counts[i].Within, admin.Within(within))
		}
	}
	return counts
}

// age returns d, rounded to seconds and at least 0.
func age(d time.Duration) string { return max(0, d).Round(time.Second).String() }

// contentRows show the configuration file and the policy sources on the admin page.
func (p *parts) contentRows() []admin.Row {
	var rows []admin.Row
	for name, state := range p.contents {
		rows = append(rows, contentRow(name, state))
	}
	return rows
}

// contentChecks are the same for the readiness view.
func (p *parts) contentChecks() []admin.Check {
	var checks []admin.Check
	for name, state := range p.contents {
		row := contentRow(name, state)
		checks = append(checks, admin.Check{State: row.State, Name: name, Detail: fmt.Sprintf("generation %d, since %s: %s",
			state.generation, state.since.UTC().Format(time.RFC3339), row.Cells[3])})
	}
	return checks
}

// contentRow shows the state of the content called name on the admin page.
func contentRow(name string, state contentState) admin.Row {
	row := admin.Row{State: admin.Good, Cells: []string{
		name, fmt.Sprint(state.generation), age(time.Since(state.since)) + " ago", "in force",
	}}
	if !state.pending.IsZero() {
		row.State = admin.Warning
		row.Cells[3] = "in force, with changes since " + age(time.Since(state.pending)) + " that need a restart"
	}
	if state.failure != nil {
		row.State = admin.Bad
		row.Cells[3] = "not in force for " + age(time.Since(state.failing)) + ": " + state.failure.Error()
	}
	return row
}

// issuerRows show the issuers of users and of bearer tokens on the admin page.
func (p *parts) issuerRows() []admin.Row {
	var rows []admin.Row
	add := func(place, issuer string, keys *keyset.Set) {
		state, mark := "in force", admin.Good
		switch s := keys.State(); {
		case s.Err != nil:
			state, mark = s.Err.Error(), admin.Bad
		case len(s.Keys) == 0:
			state, mark = "not read yet", admin.Warning
		}
		rows = append(rows, admin.Row{State: mark, Cells: []string{issuer, place, keys.State().Source, state}})
	}
	for _, set := range p.keySets {
		add(set.place, set.issuer, set.keys)
	}
	for _, rule := range p.userRules.Rules() {
		add(rule.Place+": "+rule.Subject+audienceRemark(rule), rule.Issuer, rule.Trusted.Keys)
	}
	return rows
}

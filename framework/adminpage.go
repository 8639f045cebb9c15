package framework

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/parley-rpc/parley/admin"
	"github.com/parley-rpc/parley/internal/question"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/rpcerr"
)

// adminHandler returns the handler of the admin surface.
func (a *App) adminHandler(r *run) *admin.Handler {
	sections := []admin.Section{{
		Title:   "Servers",
		Columns: []string{"address", "service", "calls in flight", "state"},
		Rows:    r.serverRows,
		Empty:   "This program has no servers.",
	}, {
		Title:   "Clients",
		Columns: []string{"name", "target", "connection", "endpoints"},
		Rows:    a.clientRows,
		Empty:   "This program has no clients.",
	}, {
		Title:   "Retry budgets",
		Columns: []string{"target", "left", "spent", "refused"},
		Rows:    a.budgetRows,
		Empty:   "No service has been called yet.",
	}}
	if len(a.parts.sources) > 0 {
		sections = append(sections, admin.Section{
			Title:   "Routes of clients",
			Columns: []string{"client", "host", "about", "stated", "where"},
			Rows:    a.routeRows,
			Empty:   "No policy source states anything about the called hosts.",
		})
	}
	if a.parts.file.path != "" || len(a.parts.sources) > 0 {
		sections = append(sections, admin.Section{
			Title:   "Configuration",
			Columns: []string{"file", "generation", "since", "state"},
			Rows:    a.parts.contentRows,
		})
	}
	if len(a.parts.keySets) > 0 || a.parts.userRules != nil {
		sections = append(sections, admin.Section{
			Title:   "Issuers of tokens",
			Columns: []string{"issuer", "stated at", "keys from", "state"},
			Rows:    a.parts.issuerRows,
			Empty:   "No issuer is stated.",
		})
	}
	if registry := a.parts.registry; registry != nil {
		sections = append(sections, admin.Section{
			Title:   "Endpoints",
			Columns: []string{"service", "instance", "addresses", "state"},
			Rows:    func() []admin.Row { return endpointRows(registry) },
			Empty:   "No service has been looked up in " + registry.String() + " yet.",
		})
	}
	if identity := a.parts.identity; identity != nil {
		sections = append(sections, admin.Section{
			Title:   "Connections",
			Columns: []string{"proven peer", "direction", "address", "since", "ends in", "key"},
			Rows:    func() []admin.Row { return connectionRows(identity) },
			Empty:   "No connection is open.",
		}, admin.Section{
			Title:   "Trusted keys",
			Columns: []string{"of", "from", "keys", "read", "good for", "state"},
			Rows:    func() []admin.Row { return trustRows(identity) },
			Empty:   "The keys have not been read yet.",
		}, admin.Section{
			Title:   "Authentication",
			Columns: []string{"of", "as", "outcome", "times"},
			Rows:    func() []admin.Row { return outcomeRows(identity) },
			Empty:   "No peer has been authenticated or refused yet.",
		})
	}
	return admin.New(admin.Config{
		Service:  a.name,
		Ring:     a.parts.ring,
		Describe: a.Describe,
		Sections: sections,
		Charts:   r.budgets.charts,
		Policies: r.policies,
		Explain:  a.explain,
		Refusals: a.refusals,
		Ready:    a.readyView,
		Traffic:  r.traffic,
		LogLevel: a.logLevel,
		Switches: []admin.Switch{{
			Title: "Retries", About: "When they are off, every call of this program has one attempt, and no call is hedged.",
			On: a.Retries, Set: a.SetRetries,
		}},
		Mounts: a.mounts,
	})
}

// readyView returns whether the App is ready, and the last result of each readiness check. The configuration file and
// the policy sources follow: if they are bad, the App goes on with the previous content, and remains ready.
func (a *App) readyView() (bool, []admin.Check) {
	var checks []admin.Check
	if last := a.checked.Load(); last != nil {
		for _, c := range *last {
			check := admin.Check{State: admin.Good, Name: c.name, Detail: "ok"}
			if c.err != nil {
				check.State, check.Detail = admin.Bad, c.err.Error()
			}
			checks = append(checks, check)
		}
	}
	return a.ready.Load(), append(checks, a.parts.contentChecks()...)
}

// policies returns the policies of the methods that the App serves, followed by those of all other methods with a
// policy in a linked .proto file or in the configuration, and by what the routes of a mesh make of them for the clients
// of the App.
func (r *run) policies() []admin.Policy {
	var list []admin.Policy
	own, served := r.app.parts.table, map[string]bool{}
	show := func(table *policy.Table, name, use string) {
		m, err := table.Method(name)
		p := admin.Policy{Method: strings.TrimPrefix(name, "/"), Kind: m.Kind() + ", " + use}
		for _, s := range m.Statements() {
			p.Values = append(p.Values, admin.PolicyValue(s))
		}
		if err != nil {
			p.Problem = fmt.Sprint(err)
		}
		list = append(list, p)
	}
	for _, s := range r.servers {
		for _, name := range s.methods() {
			if !served[name] && !isInfrastructure(name) {
				served[name] = true
				show(own, name, "served")
			}
		}
	}
	for _, name := range own.Methods() {
		if !served[name] && !isInfrastructure(name) {
			show(own, name, "not served here")
		}
	}
	for _, c := range r.app.allClients() {
		for _, name := range own.Methods() {
			if routed := c.table(); !served[name] && routed.Traffic(name).Stated() {
				show(routed, name, "called by the client "+c.name)
			}
		}
	}
	return list
}

// explain decides on a call as a server of the App would. Tokens are read as the configuration says, and not verified.
func (a *App) explain(ctx context.Context, q admin.Question) (policy.Explanation, error) {
	method := "/" + strings.TrimPrefix(q.Method, "/")
	gate, err := a.gateOf(method)
	if err != nil {
		return policy.Explanation{}, err
	}
	p := &a.parts
	known, err := question.Configured(p.config, p.file.states, p.domain)
	if err != nil {
		return policy.Explanation{}, err
	}
	asked := question.Call{Method: method, As: q.Caller, AsName: "the caller"}
	if q.CallerToken != "" {
		asked.Token = &question.Document{Name: "the caller's token", Text: []byte(q.CallerToken)}
	}
	if q.UserToken != "" {
		asked.User = &question.Document{Name: "the user's token", Text: []byte(q.UserToken)}
	}
	call, err := known.Read(asked, p.domain)
	if refused, ok := errors.AsType[question.RefusedError](err); ok {
		return policy.Explanation{
			Method: method, Reason: rpcerr.CredentialsInvalid, Why: refused.Error(), Steps: []policy.Step{},
		}, nil
	}
	if err != nil {
		return policy.Explanation{}, err
	}
	return gate.Explain(ctx, call), nil
}

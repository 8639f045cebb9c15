package framework

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"

	"github.com/parley-rpc/parley/admin"
	"github.com/parley-rpc/parley/discovery/grpcbalancer"
	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/policy"
)

// meshHost returns the host under which the routes of a mesh know the called service: the configured one, or else that
// of the target. A socket of the file system has none.
func (c *Client) meshHost() string {
	if host := c.config().GetHost(); host != "" {
		return host
	}
	if c.host != "" {
		return c.host
	}
	target := c.effectiveTarget()
	if scheme, rest, ok := strings.Cut(target, "://"); ok {
		_, target, _ = strings.Cut(rest, "/")
		if strings.HasPrefix(scheme, "unix") {
			return ""
		}
	}
	if strings.HasPrefix(target, "unix:") {
		return ""
	}
	if rest, ok := strings.CutPrefix(target, "dns:"); ok {
		return rest
	}
	return target
}

// table returns the policies as the calls of the client have them.
func (c *Client) table() *policy.Table { return c.app.parts.table.Toward(c.meshHost()) }

// routed returns b with what the routes of a mesh state about the called host.
func routed(b grpcbalancer.Balancing, to policy.Destination) grpcbalancer.Balancing {
	if to.Balancing.Stated() {
		b.Policy, b.HashMetadata = to.Balancing.Value, to.HashMetadata.Value
	}
	var o grpcbalancer.Outliers
	if b.Outliers != nil {
		o = *b.Outliers
	}
	before := o
	if to.OutliersOff.Stated() {
		o.Off = to.OutliersOff.Value
	}
	if to.Interval.Stated() {
		o.Interval = to.Interval.Value
	}
	if to.FailurePercent.Stated() {
		o.FailurePercent = to.FailurePercent.Value
	}
	if to.Rest.Stated() {
		o.Rest = to.Rest.Value
	}
	if to.MaxPercent.Stated() {
		o.MaxPercent = to.MaxPercent.Value
	}
	if o != before {
		b.Outliers = &o
	}
	return b
}

// routedBudget returns the option for what the routes of a mesh state about the retry budget.
func routedBudget(to policy.Destination) []retry.Option {
	if !to.BudgetRatio.Stated() {
		return nil
	}
	return []retry.Option{retry.WithBudgetRatio(to.BudgetRatio.Value)}
}

// describeRoutes writes what the routes of a mesh state about the called host, each with its place.
func (c *Client) describeRoutes(b *bytes.Buffer) {
	statements := c.table().Statements()
	if len(statements) == 0 {
		return
	}
	fmt.Fprintf(b, "  host: %s\n", c.meshHost())
	for _, s := range statements {
		fmt.Fprintf(b, "    %s: %s (%s)\n", s.Name, s.Value, s.Source)
	}
}

func (a *App) allClients() []*Client {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.clients
}

// routeRows shows them on the admin page.
func (a *App) routeRows() []admin.Row {
	var rows []admin.Row
	for _, c := range a.allClients() {
		for _, s := range c.table().Statements() {
			rows = append(rows, admin.Row{Cells: []string{c.name, c.meshHost(), s.Name, s.Value, s.Source}})
		}
	}
	return rows
}

// warnRouted warns of clients that were opened with another balancing or budget than the routes state now.
func (a *App) warnRouted(logger *slog.Logger) {
	for _, c := range a.allClients() {
		if ch := c.open.Load(); ch != nil && !ch.routed.Same(c.table().Destination()) {
			logger.Warn("the routes to a host state another balancing or retry budget; restart to apply them",
				slog.String("client", c.name), slog.String("host", c.meshHost()))
		}
	}
}

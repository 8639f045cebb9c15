package istio

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/parley-rpc/parley/policy"
)

// routes is the traffic as the clients of the workload see it.
type routes struct {
	name string
	*traffic
}

var _ policy.Routes = (*routes)(nil)

// String is "istio /etc/mesh for shop app=orders".
func (r *routes) String() string { return r.name }

// Traffic is what the first route states that every call of the method takes.
func (r *routes) Traffic(host, method string) policy.Traffic {
	if taken := r.route(host, method); taken != nil {
		return taken.traffic
	}
	return policy.Traffic{}
}

// route is the first route that every call of the method takes, or nil.
func (r *routes) route(host, method string) *route {
	h := r.workload.hostOf(host)
	all := r.routesOf(h)
	i := slices.IndexFunc(all, func(route *route) bool { return route.takes(h, method) })
	if i < 0 {
		return nil
	}
	return all[i]
}

// routesOf are the routes for a host, in the order in which they are asked: those of the VirtualService that names it
// most closely, or else those of the Gateway API.
func (r *routes) routesOf(h meshHost) []*route {
	if sets := closest(r.services, h); len(sets) == 1 {
		return pointers(sets[0].routes)
	} else if len(sets) > 1 {
		return nil
	}
	var all []*route
	for _, set := range r.gatewayOf(h) {
		all = append(all, pointers(set.routes)...)
	}
	slices.SortStableFunc(all, func(a, b *route) int { return a.best().rank(b.best()) })
	return all
}

// best is the match of a route of the Gateway API, which has at most one.
func (r *route) best() *routeMatch {
	if len(r.matches) == 0 {
		return &routeMatch{}
	}
	return &r.matches[0]
}

func pointers(routes []route) []*route {
	all := make([]*route, 0, len(routes))
	for i := range routes {
		all = append(all, &routes[i])
	}
	return all
}

// closest are the objects whose hosts fit the called one most closely.
func closest(sets []*routeSet, h meshHost) []*routeSet {
	var best []*routeSet
	most := 0
	for _, set := range sets {
		fit := 0
		for _, host := range set.hosts {
			fit = max(fit, h.fits(host))
		}
		switch {
		case fit == 0 || fit < most:
		case fit > most:
			best, most = []*routeSet{set}, fit
		default:
			best = append(best, set)
		}
	}
	return best
}

// gatewayOf are the sets of the Gateway API for a host, by their names. Those of the caller's own namespace hide those
// of the namespace of the Service.
func (r *routes) gatewayOf(h meshHost) []*routeSet {
	var own, others []*routeSet
	for _, set := range r.gateway {
		switch {
		case h.fits(set.hosts[0]) == 0 || set.port != 0 && set.port != h.port:
		case set.object.namespace == r.workload.Namespace:
			own = append(own, set)
		default:
			others = append(others, set)
		}
	}
	if len(own) == 0 {
		own = others
	}
	slices.SortStableFunc(own, func(a, b *routeSet) int {
		return cmp.Or(cmp.Compare(a.object.namespace, b.object.namespace), cmp.Compare(a.object.name, b.object.name))
	})
	return own
}

// Destination is what the DestinationRule states that is nearest to the caller and to the host.
func (r *routes) Destination(host string) policy.Destination {
	h := r.workload.hostOf(host)
	rules := r.destinationsOf(h)
	if len(rules) != 1 {
		return policy.Destination{}
	}
	if own, ok := rules[0].ports[h.port]; ok && h.port != 0 {
		return own
	}
	return rules[0].general
}

// destinationsOf are the rules for a host: those of the caller's namespace, or else of the host's, or else of the root
// namespace; of these, the ones whose host fits most closely, and then those that select the workload. More than one is
// as good as none, because the files do not say which of them is older.
func (r *routes) destinationsOf(h meshHost) []*destinationRule {
	for _, namespace := range []string{r.workload.Namespace, h.namespace, r.workload.RootNamespace} {
		var best []*destinationRule
		most := 0
		for _, rule := range r.destinations {
			fit := h.fits(rule.host) * 2
			if rule.selected {
				fit++
			}
			switch {
			case rule.object.namespace != namespace || !rule.states || fit < 2 || fit < most:
			case fit > most:
				best, most = []*destinationRule{rule}, fit
			default:
				best = append(best, rule)
			}
		}
		if len(best) > 0 {
			return best
		}
	}
	return nil
}

// noteRivals notes objects for the same host, of which none is enforced.
func (r *routes) noteRivals() {
	for _, set := range r.services {
		for _, host := range set.hosts {
			rivals := closest(r.services, meshHost{names: []string{host}})
			if len(rivals) > 1 {
				r.note(set.object, "spec.hosts", "it is not enforced for %s, because there are %d objects for this host, and "+
					"the older one counts in the mesh; keep one", host, len(rivals))
			}
		}
	}
	for _, rule := range r.destinations {
		for _, other := range r.destinations {
			same := rule != other && rule.host == other.host && rule.object.namespace == other.object.namespace
			if same && rule.selected == other.selected && rule.states && other.states {
				r.note(rule.object, "spec.host", "it is not enforced, because %s is about the same host, and the older one "+
					"counts in the mesh; keep one", other.object.place(other.object.node))
			}
		}
	}
}

// Statements lists the routes for a host in the order in which they are asked, and then what is stated about the host.
func (r *routes) Statements(host string) []policy.Statement {
	h := r.workload.hostOf(host)
	var all []policy.Statement
	for _, route := range r.routesOf(h) {
		if m := routeWords(route); m != "" {
			source := route.object.at(route.path).String()
			all = append(all, policy.Statement{Name: "calls of " + m, Value: trafficWords(route.traffic), Source: source})
		}
	}
	return append(all, destinationWords(r.Destination(host))...)
}

// routeWords says which calls take a route: "/shop.payments.v1.*". It is empty for a route that none is known to take.
func routeWords(r *route) string {
	if len(r.matches) == 0 {
		return "every method"
	}
	var parts []string
	for i := range r.matches {
		if m := &r.matches[i]; !m.unknown {
			parts = append(parts, m.path.String()+m.more())
		}
	}
	return strings.Join(parts, " or ")
}

func (m *routeMatch) more() string {
	text := ""
	if m.authority.kind != textAny {
		text += " at " + m.authority.String()
	}
	if m.port != 0 {
		text += fmt.Sprintf(" at port %d", m.port)
	}
	return text
}

// String is the text as a pattern: "/shop.payments.v1.PaymentsService/*".
func (m *textMatch) String() string {
	switch m.kind {
	case textExact:
		return m.text
	case textPrefix:
		return m.text + "*"
	case textSegments:
		return strings.TrimSuffix(m.text, "/") + "/*"
	case textRegex:
		return "~" + m.text
	case textAny:
	}
	return "*"
}

// trafficWords is what is stated about calls: "deadline 2s, 3 attempts".
func trafficWords(t policy.Traffic) string {
	var parts []string
	add := func(stated bool, format string, args ...any) {
		if stated {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	retry := t.Retry
	add(t.Deadline.Stated(), "deadline %v", t.Deadline.Value)
	add(retry.MaxAttempts.Stated(), "max attempts %d", retry.MaxAttempts.Value)
	add(retry.PerAttemptTimeout.Stated(), "per-attempt timeout %v", retry.PerAttemptTimeout.Value)
	add(retry.InitialBackoff.Stated(), "backoff %v to %v", retry.InitialBackoff.Value, retry.MaxBackoff.Value)
	add(retry.Codes.Stated(), "retried codes %v", retry.Codes.Value)
	if len(parts) == 0 {
		return "nothing stated"
	}
	return strings.Join(parts, ", ")
}

func destinationWords(d policy.Destination) []policy.Statement {
	var all []policy.Statement
	add := func(stated bool, name string, value any, source policy.Source) {
		if stated {
			all = append(all, policy.Statement{Name: name, Value: fmt.Sprint(value), Source: source.String()})
		}
	}
	add(d.Balancing.Stated(), "balancing", d.Balancing.Value, d.Balancing.Source)
	add(d.HashMetadata.Stated(), "hash metadata", d.HashMetadata.Value, d.HashMetadata.Source)
	add(d.OutliersOff.Value, "outliers", "off", d.OutliersOff.Source)
	add(d.Interval.Stated(), "outliers interval", d.Interval.Value, d.Interval.Source)
	add(d.FailurePercent.Stated(), "outliers failure percent", d.FailurePercent.Value, d.FailurePercent.Source)
	add(d.Rest.Stated(), "outliers rest", d.Rest.Value, d.Rest.Source)
	add(d.MaxPercent.Stated(), "outliers max percent", d.MaxPercent.Value, d.MaxPercent.Source)
	add(d.BudgetRatio.Stated(), "retry budget ratio", d.BudgetRatio.Value, d.BudgetRatio.Source)
	return all
}

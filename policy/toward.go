package policy

// Routed returns a layer of routes. They hold for the calls of clients, which ask with [Table.Toward]. Where several
// layers state the same, the stricter traffic holds, and the destination of the last layer.
func Routed(r Routes) Layer { return Layer{routes: r} }

// Toward returns the Table as the clients of a host see it: the same policies, further narrowed by what [Routed] layers
// state about calls to the host. The host is named as the mesh knows it, or shorter ("payments",
// "payments.shop.svc.cluster.local:8443"). Replace and Narrow are those of t. An empty host has no routes.
func (t *Table) Toward(host string) *Table { return &Table{t.shared, host} }

// Traffic returns what the layers state about calls of a method to the host of [Table.Toward]. What the .proto and
// other layers state of the method is not in it; [Table.Method] merges all of it.
func (t *Table) Traffic(method string) Traffic {
	stated := t.current.Load().toward(t.host, method, terms{})
	return Traffic{stated.deadline, stated.retry}
}

// Destination returns what the layers state about the host of [Table.Toward].
func (t *Table) Destination() Destination {
	var all Destination
	for _, routes := range t.current.Load().routes(t.host) {
		all = all.under(routes.Destination(t.host))
	}
	return all
}

// Statements lists what the layers state about the host of [Table.Toward], in words.
func (t *Table) Statements() []Statement {
	var all []Statement
	for _, routes := range t.current.Load().routes(t.host) {
		all = append(all, routes.Statements(t.host)...)
	}
	return all
}

// routes are those of all layers, none for an empty host.
func (g *generation) routes(host string) []Routes {
	var all []Routes
	for _, layer := range g.layers {
		if layer.routes != nil && host != "" {
			all = append(all, layer.routes)
		}
	}
	return all
}

// toward narrows the terms of a method by the routes to a host.
func (g *generation) toward(host, method string, t terms) terms {
	for _, routes := range g.routes(host) {
		traffic := routes.Traffic(host, method)
		t = merge(t, terms{deadline: traffic.Deadline, retry: traffic.Retry})
	}
	return t
}

// under returns d with what other states in its place.
func (d Destination) under(other Destination) Destination {
	if other.Balancing.Stated() { // a hash key belongs to a balancing policy
		d.Balancing, d.HashMetadata = other.Balancing, other.HashMetadata
	}
	if other.OutliersOff.Stated() {
		d.OutliersOff = other.OutliersOff
	}
	d.Interval = other.Interval.or(d.Interval)
	d.FailurePercent = other.FailurePercent.or(d.FailurePercent)
	d.Rest = other.Rest.or(d.Rest)
	d.MaxPercent = other.MaxPercent.or(d.MaxPercent)
	d.BudgetRatio = smallest(d.BudgetRatio, other.BudgetRatio)
	return d
}

// or returns v, or other where v is not stated.
func (v Value[T]) or(other Value[T]) Value[T] {
	if v.Stated() {
		return v
	}
	return other
}

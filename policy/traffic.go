package policy

import (
	"fmt"
	"time"
)

// Routes says how calls to other services are made, by the host that is called, as the traffic rules of a mesh do. It
// never changes and is safe for concurrent use. Make a layer of it with [Routed].
type Routes interface {
	// String names the routes and says where they stand, in one line.
	fmt.Stringer
	// Traffic returns what is stated about calls of a method ("/package.Service/Method") to a host. The values are within
	// the bounds that [Retry] states.
	Traffic(host, method string) Traffic
	// Destination returns what is stated about a host, whatever the method.
	Destination(host string) Destination
	// Statements lists what is stated about a host, in words, for explanations. An empty list means that nothing is.
	Statements(host string) []Statement
}

// Traffic is how the calls of one method to one host are made. What is not stated is left to the method's policy.
type Traffic struct {
	// Deadline is the longest a call may take, all attempts and waits included. It is positive if stated.
	Deadline Value[time.Duration]
	// Retry says how a failed call is tried again. It never makes a method repeatable.
	Retry Retry
}

// Stated reports whether anything is stated.
func (t Traffic) Stated() bool {
	r := t.Retry
	return t.Deadline.Stated() || r.MaxAttempts.Stated() || r.PerAttemptTimeout.Stated() || r.InitialBackoff.Stated() ||
		r.MaxBackoff.Stated() || r.Codes.Stated()
}

// Destination is how the calls to one host are spread over its instances, and what limits them. What is not stated is
// left to the client.
type Destination struct {
	// Balancing is the name of a balancing policy, as the configuration of a client has it.
	Balancing Value[string]
	// HashMetadata is the key of the outgoing metadata by which ring_hash picks an instance.
	HashMetadata Value[string]
	// OutliersOff says that no instance rests.
	OutliersOff Value[bool]
	// Interval is the time over which the failures of an instance are counted. It is at most 5m.
	Interval Value[time.Duration]
	// FailurePercent is the share of failed calls with which an instance rests. It is 1 to 100.
	FailurePercent Value[int]
	// Rest is how long an instance rests the first time. It is at most 5m.
	Rest Value[time.Duration]
	// MaxPercent is the largest share of resting instances. It is 1 to 100.
	MaxPercent Value[int]
	// BudgetRatio is the number of retries that one successful call pays for. It is 0 to 1.
	BudgetRatio Value[float64]
}

// Routed returns a layer of routes. They hold for the calls of clients, which ask with [Table.Toward]. Where several
// layers state the same, the stricter traffic holds, and the destination of the last layer.
func Routed(r Routes) Layer { return Layer{routes: r} }

// Toward returns the Table as the clients of a host see it: the same policies, further narrowed by what [Routed] layers
// state about calls to the host. The host is named as the mesh knows it, or shorter ("payments",
// "payments.shop.svc.cluster.local:8443"). Replace and Narrow are those of t. An empty host has no routes.
func (t *Table) Toward(host string) *Table { return &Table{t.shared, host} }

// Traffic returns what the layers state about calls of a method to the host of [Table.Toward]. What the .proto and other
// layers state of the method is not in it; [Table.Method] merges all of it.
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

// Same reports whether other says the same, wherever it is stated.
func (d Destination) Same(other Destination) bool {
	return d.Balancing.Value == other.Balancing.Value && d.HashMetadata.Value == other.HashMetadata.Value &&
		d.OutliersOff.Value == other.OutliersOff.Value && d.Interval.Value == other.Interval.Value &&
		d.FailurePercent.Value == other.FailurePercent.Value && d.Rest.Value == other.Rest.Value &&
		d.MaxPercent.Value == other.MaxPercent.Value &&
		d.BudgetRatio.Value == other.BudgetRatio.Value && d.BudgetRatio.Stated() == other.BudgetRatio.Stated()
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

// Package vocabulary holds the names under which Parley shows what it does: metrics, and the attributes and events of
// spans. Every package takes them from here, the tables of docs/observability.md are written from here, and tests
// compare the dashboard and the alert rules with it, so that one thing has one name everywhere.
//
// The names of refusals stand in package rpcerr, those of stop reasons in package retry.
package vocabulary

import "slices"

// Attribute is one attribute of a metric, a span or an event.
type Attribute struct {
	// Name is its key.
	Name string
	// On says what has it: kinds of spans, or the names of events or metrics.
	On []string
	// Meaning says what its value is.
	Meaning string
}

// Event is an event of a span.
type Event struct {
	// Name is the name of the event.
	Name string
	// On is the kind of span that has it.
	On string
	// Attributes are the keys of its attributes, in order.
	Attributes []string
	// Meaning says what happened.
	Meaning string
}

// Kinds of spans.
const (
	// SpanCall is the CLIENT span of a call.
	SpanCall = "call"
	// SpanAttempt is the CLIENT span of one attempt.
	SpanAttempt = "attempt"
	// SpanServer is the SERVER span.
	SpanServer = "server"
)

// Metric returns the row of a metric. A name without a row gives one with nothing but the name.
func Metric(name string) Instrument {
	metrics := Metrics()
	if i := slices.IndexFunc(metrics, func(m Instrument) bool { return m.Name == name }); i >= 0 {
		return metrics[i]
	}
	return Instrument{Name: name}
}

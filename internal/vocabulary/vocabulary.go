// Package vocabulary has the names of Parley's metrics, and of the attributes and events of its spans. Every package
// uses the names from here, the tables of docs/observability.md are generated from here, and tests compare the
// dashboard and the alert rules with it. Each thing therefore has the same name everywhere.
//
// The names of refusals are in package rpcerr.
package vocabulary

import "slices"

// Attribute is one attribute of a metric, a span or an event.
type Attribute struct {
	// Name is its key.
	Name string
	// On lists the kinds of spans, or the names of events or metrics, that have the attribute.
	On []string
	// Meaning describes its value.
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
	// Meaning describes the event.
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

// Metric returns the row of a metric. For an unknown name it returns a row with only the name.
func Metric(name string) Instrument {
	metrics := Metrics()
	if i := slices.IndexFunc(metrics, func(m Instrument) bool { return m.Name == name }); i >= 0 {
		return metrics[i]
	}
	return Instrument{Name: name}
}

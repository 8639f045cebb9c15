package policy

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// String is the effective policy as [Method.Describe] writes it.
func (m Method) String() string {
	var text strings.Builder
	_ = m.Describe(&text) // a Builder takes everything
	return text.String()
}

// Describe writes the effective policy for people to read: a line for the method and one for each stated value, with
// where it was stated. Its error is that of w.
func (m Method) Describe(w io.Writer) error {
	lines := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(lines, "%s (%s)\n", m.Name, m.kind()) // Flush tells whether w failed
	if m.Described {
		m.describeValues(lines)
	}
	return lines.Flush()
}

func (m Method) describeValues(w io.Writer) {
	line(w, "idempotency", m.Idempotency)
	if !m.Auth.Access.Stated() {
		_, _ = fmt.Fprintf(w, "  access\tnot decided\ta server of this method does not start\n")
	}
	describeAuth(w, "", m.Auth)
	describeAuth(w, "on trial: ", m.Trial)
	line(w, "deadline", m.Deadline)
	line(w, "max attempts", m.Retry.MaxAttempts)
	line(w, "initial backoff", m.Retry.InitialBackoff)
	line(w, "max backoff", m.Retry.MaxBackoff)
	line(w, "per-attempt timeout", m.Retry.PerAttemptTimeout)
	line(w, "retried codes", m.codeNames())
	line(w, "max hedges", m.Hedge.MaxHedges)
	line(w, "hedge delay", m.Hedge.Delay)
	for _, warning := range m.Warnings() {
		_, _ = fmt.Fprintf(w, "  warning\t%s\t%s: %s\n", warning.Field, warning.Source, warning.Problem)
	}
}

func describeAuth(w io.Writer, prefix string, a Auth) {
	line(w, prefix+"access", a.Access)
	for _, peers := range a.Peers {
		line(w, prefix+"peers", words(peers))
	}
	line(w, prefix+"scopes", words(a.Scopes))
	line(w, prefix+"carrier", a.Carrier)
	line(w, prefix+"proof", a.Proof)
	line(w, prefix+"user", a.User.Presence)
	line(w, prefix+"user issuers", words(a.User.Issuers))
	line(w, prefix+"user scopes", words(a.User.Scopes))
	for _, rule := range a.Deny {
		describeRule(w, prefix+"deny", rule)
	}
	for _, list := range a.Allow {
		for i, rule := range list.Value {
			name := prefix + "allow"
			if i > 0 {
				name = prefix + "or allow"
			}
			describeRule(w, name, rule)
		}
	}
}

// describeRule writes what the rule demands behind its place, because it may be long.
func describeRule(w io.Writer, name string, r Rule) {
	_, _ = fmt.Fprintf(w, "  %s\t%s\t%s: %s\n", name, r.Name, r.Source, r.condition())
}

func line[T any](w io.Writer, name string, v Value[T]) {
	if v.Stated() {
		_, _ = fmt.Fprintf(w, "  %s\t%v\t%s\n", name, v.Value, v.Source)
	}
}

func (m Method) kind() string {
	switch {
	case !m.Described:
		return "not described by a linked .proto"
	case m.ClientStreams && m.ServerStreams:
		return "stream both ways"
	case m.ClientStreams:
		return "client stream"
	case m.ServerStreams:
		return "server stream"
	default:
		return "unary"
	}
}

func words(list Value[[]string]) Value[string] {
	return Value[string]{strings.Join(list.Value, ", "), list.Source}
}

func (m Method) codeNames() Value[string] {
	if len(m.Retry.Codes.Value) == 0 {
		return Value[string]{"none", m.Retry.Codes.Source}
	}
	names := make([]string, 0, len(m.Retry.Codes.Value))
	for _, code := range m.Retry.Codes.Value {
		names = append(names, codeName(code))
	}
	return Value[string]{strings.Join(names, ", "), m.Retry.Codes.Source}
}

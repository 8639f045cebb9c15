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
	_, _ = fmt.Fprintf(lines, "%s (%s)\n", m.Name, m.Kind()) // Flush reports whether w failed
	for _, s := range m.Statements() {
		_, _ = fmt.Fprintf(lines, "  %s\t%s\t%s\n", s.Name, s.Value, s.Source)
	}
	return lines.Flush()
}

// Statements lists what is stated about the method, in the order of [Method.Describe].
func (m Method) Statements() []Statement {
	if !m.Described {
		return nil
	}
	var s statements
	state(&s, "idempotency", m.Idempotency)
	if !m.Auth.Access.Stated() {
		s.add("access", "not decided", "a server of this method does not start")
	}
	s.auth("", m.Auth)
	s.auth("on trial: ", m.Trial)
	state(&s, "deadline", m.Deadline)
	state(&s, "max attempts", m.Retry.MaxAttempts)
	state(&s, "initial backoff", m.Retry.InitialBackoff)
	state(&s, "max backoff", m.Retry.MaxBackoff)
	state(&s, "per-attempt timeout", m.Retry.PerAttemptTimeout)
	state(&s, "retried codes", m.codeNames())
	state(&s, "max hedges", m.Hedge.MaxHedges)
	state(&s, "hedge delay", m.Hedge.Delay)
	for _, warning := range m.Warnings() {
		s.add("warning", warning.Field, fmt.Sprintf("%s: %s", warning.Source, warning.Problem))
	}
	return s
}

type statements []Statement

func (s *statements) add(name, value, source string) { *s = append(*s, Statement{name, value, source}) }

func state[T any](s *statements, name string, v Value[T]) {
	if v.Stated() {
		s.add(name, fmt.Sprint(v.Value), v.Source.String())
	}
}

func (s *statements) auth(prefix string, a Auth) {
	state(s, prefix+"access", a.Access)
	for _, peers := range a.Peers {
		state(s, prefix+"peers", words(peers))
	}
	state(s, prefix+"scopes", words(a.Scopes))
	state(s, prefix+"carrier", a.Carrier)
	state(s, prefix+"proof", a.Proof)
	state(s, prefix+"user", a.User.Presence)
	state(s, prefix+"user issuers", words(a.User.Issuers))
	state(s, prefix+"user scopes", words(a.User.Scopes))
	for _, rule := range a.Deny {
		s.rule(prefix+"deny", rule)
	}
	for _, list := range a.Allow {
		for i, rule := range list.Value {
			name := prefix + "allow"
			if i > 0 {
				name = prefix + "or allow"
			}
			s.rule(name, rule)
		}
	}
	for _, guard := range a.Guards {
		s.add(prefix+"guard", guard.String(), "which decides beside all this")
	}
}

// rule writes what the rule demands behind its place, because it may be long.
func (s *statements) rule(name string, r Rule) {
	s.add(name, r.Name, fmt.Sprintf("%s: %s", r.Source, r.condition()))
}

// Kind is how the method's messages flow, in words: "unary", "server stream".
func (m Method) Kind() string {
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

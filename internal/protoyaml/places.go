package protoyaml

import (
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Places knows where each value of a configuration was stated. The zero Places knows of none.
type Places struct {
	known map[string]place
}

type place struct {
	path path
	text string
	line int
}

// Of returns where the value of a path was stated, "orders.yaml:12" or "env PARLEY_IDENTITY_TRUST_DIR", and "" when it
// was not. The path is given as field names, map keys and list indices: Of("clients", "payments", "peers", "0").
func (p Places) Of(path ...string) string { return p.known[key(path)].text }

// Line returns the line of the file where the value of a path was stated, and 0 when no file states it.
func (p Places) Line(path ...string) int { return p.known[key(path)].line }

// All yields every stated path, as mistakes write it, with its place, sorted by path.
func (p Places) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, k := range slices.Sorted(maps.Keys(p.known)) {
			if !yield(p.known[k].path.String(), p.known[k].text) {
				return
			}
		}
	}
}

func (p *Places) add(at path, text string, line int) {
	if p.known == nil {
		p.known = map[string]place{}
	}
	p.known[key(at.names())] = place{at, text, line}
}

// key is one string for each path, and sorts as the path does: a NUL ends each name, and one within a name, which YAML
// can write, is escaped.
func key(path []string) string {
	var text strings.Builder
	for _, name := range path {
		text.WriteString(strings.ReplaceAll(name, "\x00", "\x00\xff"))
		text.WriteString("\x00\x00")
	}
	return text.String()
}

// path leads from the root of the message to a value.
type path []step

type step struct {
	name string
	// Tells a field from a map key and from an index, which are written in brackets.
	field bool
	index bool
}

func (p path) then(s step) path { return append(slices.Clip(p), s) }

func (p path) toField(name string) path { return p.then(step{name: name, field: true}) }

func (p path) toKey(key string) path { return p.then(step{name: key}) }

func (p path) toIndex(i int) path { return p.then(step{name: strconv.Itoa(i), index: true}) }

func (p path) names() []string {
	names := make([]string, 0, len(p))
	for _, s := range p {
		names = append(names, s.name)
	}
	return names
}

// String writes fields and plain map keys with dots, other keys and indices in brackets:
// clients.payments.peers[0], policies["/shop.Orders/Get"].deadline.
func (p path) String() string {
	var text strings.Builder
	for i, s := range p {
		switch {
		case s.index:
			text.WriteString("[" + s.name + "]")
		case !s.field && !plain(s.name):
			text.WriteString("[" + show(s.name) + "]")
		default:
			if i > 0 {
				text.WriteByte('.')
			}
			text.WriteString(s.name)
		}
	}
	return text.String()
}

// plain reports whether a map key can be written without quotes.
func plain(key string) bool {
	for _, r := range key {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-':
		default:
			return false
		}
	}
	return key != "" && len(key) <= maxShown
}

package protoyaml

import (
	"iter"
	"slices"
	"strconv"
	"strings"
)

// Places knows where each value of a configuration was stated. The zero Places knows of none.
type Places struct {
	root *place // nil: no value was stated
}

// place is a value of a message, and where it is stated. The places of a message are a tree, so that a large
// configuration can be read without a path for each of its values.
type place struct {
	step
	above  *place
	below  []*place          // those that are stated
	byName map[string]*place // the same, where they are many
	source string            // a file or a variable, "" where the value is not stated
	line   int               // 0 for a variable
}

// Of returns where the value of a path was stated, "orders.yaml:12" or "env PARLEY_IDENTITY_TRUST_DIR", and "" when it
// was not. The path is given as field names, map keys and list indices: Of("clients", "payments", "peers", "0").
func (p Places) Of(path ...string) string { return p.find(path).text() }

// Line returns the line of the file where the value of a path was stated, and 0 when no file states it.
func (p Places) Line(path ...string) int {
	if at := p.find(path); at != nil {
		return at.line
	}
	return 0
}

// All yields every stated path, as mistakes write it, with its place, sorted by path.
func (p Places) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		if p.root != nil {
			p.root.all(yield)
		}
	}
}

func (p Places) find(path []string) *place {
	at := p.root
	for _, name := range path {
		if at == nil {
			return nil
		}
		at = at.child(name)
	}
	return at
}

func (p *Places) add(at path, source string, line int) {
	if p.root == nil {
		p.root = &place{}
	}
	to := p.root
	for _, s := range at {
		next := to.child(s.name)
		if next == nil {
			next = to.then(s)
			to.adopt(next)
		}
		to = next
	}
	to.source, to.line = source, line
}

func (at *place) isStated() bool { return at.source != "" || at.line > 0 }

func (at *place) text() string {
	switch {
	case at == nil:
		return ""
	case at.line == 0:
		return at.source
	default:
		return at.source + ":" + strconv.Itoa(at.line)
	}
}

func (at *place) all(yield func(string, string) bool) bool {
	if at.isStated() && !yield(at.path().String(), at.text()) {
		return false
	}
	for _, next := range slices.SortedFunc(slices.Values(at.below), func(a, b *place) int {
		return strings.Compare(a.name, b.name)
	}) {
		if !next.all(yield) {
			return false
		}
	}
	return true
}

// child returns the place of that name below at, or nil.
func (at *place) child(name string) *place {
	if at.byName != nil {
		return at.byName[name]
	}
	for _, next := range at.below {
		if next.name == name {
			return next
		}
	}
	return nil
}

// adopt notes that the value of a place below at is stated.
func (at *place) adopt(next *place) {
	at.below = append(at.below, next)
	if len(at.below) == fewPlaces {
		at.byName = make(map[string]*place, 2*fewPlaces)
		for _, known := range at.below {
			at.byName[known.name] = known
		}
	}
	if at.byName != nil {
		at.byName[next.name] = next
	}
}

// then is the place one step on. It is not stated yet.
func (at *place) then(s step) *place { return &place{step: s, above: at} }

func (at *place) toField(name string) *place { return at.then(step{name: name, field: true}) }

func (at *place) toKey(key string) *place { return at.then(step{name: key}) }

func (at *place) toIndex(i int) *place { return at.then(step{name: strconv.Itoa(i), index: true}) }

// depth is how many steps lead to the place.
func (at *place) depth() int {
	n := 0
	for ; at.above != nil; at = at.above {
		n++
	}
	return n
}

// path leads to the place.
func (at *place) path() path {
	var p path
	for ; at != nil && at.above != nil; at = at.above {
		p = append(p, at.step)
	}
	slices.Reverse(p)
	return p
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

package policy

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
)

// Layer is a set of policies that narrow those of the .proto files, with the places where they are stated. A key is a
// method "/package.Service/Method", a service "/package.Service/*", a package "/package.*" with all packages below it,
// or "/*", which is every method that a linked .proto describes. [Guarded], [Decided] and [Routed] make layers without
// keys. The zero Layer states nothing. A Layer does not change; what is wrong in it is reported by [New] and
// [Table.Replace].
type Layer struct {
	statements map[string]*statement
	wide       bool   // there is a statement about more than one service
	everywhere *terms // what is stated without a key, for every described method; nil: nothing
	routes     Routes
}

// statement is one entry of a layer, or an option of a .proto. It does not change.
type statement struct {
	terms    terms
	source   Source
	mistakes []error
}

// wrong returns the mistakes in a statement, none of which are in no statement.
func (s *statement) wrong() []error {
	if s == nil {
		return nil
	}
	return s.mistakes
}

// Code returns the layer of policies that the program states. Their place is the file and line of the caller.
func Code(policies map[string]*policyv1.Policy) Layer {
	place := "unknown"
	if _, file, line, ok := runtime.Caller(1); ok {
		place = fmt.Sprintf("%s:%d", filepath.Base(file), line)
	}
	return CodeAt(place, policies)
}

// CodeAt is [Code] for a place that the caller names, as "main.go:31", because the policies were stated further up the
// stack.
func CodeAt(place string, policies map[string]*policyv1.Policy) Layer {
	return newLayer(policies, func(string) Source { return Source{Kind: KindCode, Place: place} })
}

// File returns the layer of policies that the configuration file called name states. Line returns the line at which a
// key of policies stands, or 0 when that is not known; it may be nil and is not kept.
func File(name string, policies map[string]*policyv1.Policy, line func(method string) int) Layer {
	return newLayer(policies, func(key string) Source {
		if line != nil {
			if n := line(key); n > 0 {
				return Source{Kind: KindFile, Place: name + ":" + strconv.Itoa(n)}
			}
		}
		return Source{Kind: KindFile, Place: name}
	})
}

func newLayer(policies map[string]*policyv1.Policy, source func(key string) Source) Layer {
	l := Layer{statements: make(map[string]*statement, len(policies))}
	for key, p := range policies {
		s := &statement{source: source(key)}
		if isWide(key) {
			l.wide, s.source.Reach = true, key
		}
		s.terms, s.mistakes = read(p, s.source, key)
		l.statements[key] = s
	}
	return l
}

// keys are sorted, so that mistakes are reported in the same order each time.
func (l Layer) keys() []string {
	keys := make([]string, 0, len(l.statements))
	for key := range l.statements {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// states reports whether the layer says anything about a method.
func (l Layer) states(service, method string) bool {
	keys := append(wideKeys(service), joinName(service, wildcard), joinName(service, method))
	return slices.ContainsFunc(keys, func(key string) bool {
		_, ok := l.statements[key]
		return ok
	})
}

// idempotency returns what the statement with a key says about it.
func (l Layer) idempotency(key string) Value[Idempotency] {
	if s := l.statements[key]; s != nil {
		return s.terms.idempotency
	}
	return Value[Idempotency]{}
}

// about returns what the layer says about m: the statement about its service narrowed by its own, and narrowed by those
// that are about more than the service. These meet all kinds of methods, so they are compared with the others as little
// as another layer is.
func (l Layer) about(service, method string, m Method) (terms, []error) {
	var all terms
	if l.wide {
		for _, key := range wideKeys(service) {
			if s := l.statements[key]; s != nil {
				all = merge(all, s.terms.reaching(m))
			}
		}
	}
	var contradicting []error
	whole, own := l.statements[joinName(service, wildcard)], l.statements[joinName(service, method)]
	if whole != nil || own != nil {
		var both terms
		both, contradicting = narrow(whole, own, m)
		all = merge(all, both)
	}
	if l.everywhere != nil {
		all = merge(all, *l.everywhere)
	}
	return all, contradicting
}

// narrow merges what one layer says about a method into what it says about its service. Either may be nil.
func narrow(service, method *statement, m Method) (terms, []error) {
	if method == nil {
		return service.terms.reaching(m), nil
	}
	if service == nil {
		return method.terms, unhedgeable(method.terms, m)
	}
	both := merge(service.terms.reaching(m), method.terms)
	return both, append(together(service.terms, method.terms, both, m.Name), unhedgeable(method.terms, m)...)
}

// reaching is what a statement about more than a method says about this one. What the method cannot have does not reach
// it: the deadline of a stream, and hedges of what must not be repeated.
func (t terms) reaching(m Method) terms {
	if m.Streams() {
		t.deadline = Value[time.Duration]{}
	}
	if m.Idempotency.Value == IdempotencyUnknown {
		t.hedge = Hedge{}
	}
	return t
}

package policy

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
)

// Layer is a set of policies that narrow those of the .proto files, by method "/package.Service/Method" or by service
// "/package.Service/*", with the places where they are stated. The zero Layer states nothing. A Layer does not change;
// what is wrong in it is reported by [New] and [Table.Replace].
type Layer struct {
	statements map[string]statement
}

// statement is one entry of a layer.
type statement struct {
	terms    terms
	source   Source
	mistakes []error
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
	return newLayer(policies, func(string) Source { return Source{KindCode, place} })
}

// File returns the layer of policies that the configuration file called name states. Line returns the line at which a
// key of policies stands, or 0 when that is not known; it may be nil and is not kept.
func File(name string, policies map[string]*policyv1.Policy, line func(method string) int) Layer {
	return newLayer(policies, func(key string) Source {
		if line != nil {
			if n := line(key); n > 0 {
				return Source{KindFile, name + ":" + strconv.Itoa(n)}
			}
		}
		return Source{KindFile, name}
	})
}

func newLayer(policies map[string]*policyv1.Policy, source func(key string) Source) Layer {
	l := Layer{statements: make(map[string]statement, len(policies))}
	for key, p := range policies {
		s := statement{source: source(key)}
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

// about returns what the layer says about m: the statement about its service narrowed by its own.
func (l Layer) about(service, method string, m Method) (terms, []error) {
	whole, own := l.statements[joinName(service, wildcard)].terms, l.statements[joinName(service, method)].terms
	return narrow(whole, own, m)
}

// narrow merges what one layer says about a method into what it says about its service. What a method cannot have does
// not reach it from there: the deadline of a stream, and hedges of what must not be repeated.
func narrow(service, method terms, m Method) (terms, []error) {
	reaching := service
	if m.Streams() {
		reaching.deadline = method.deadline
	}
	if m.Idempotency.Value == IdempotencyUnknown {
		reaching.hedge = Hedge{}
	}
	both := merge(reaching, method)
	return both, append(together(service, method, both, m.Name), unhedgeable(method, m)...)
}

package framework

import (
	"bytes"
	"runtime"
	"sort"
	"strings"
	"sync/atomic"
)

// inFlight counts the calls of one server: those running, by method, and all that ever arrived. Health and reflection
// are not counted, since a drain does not wait for them.
type inFlight struct {
	arrived atomic.Uint64
	running map[string]*atomic.Int64 // written only by newInFlight
	other   atomic.Int64             // methods served by an unknown-service handler
}

func newInFlight(methods []string) *inFlight {
	f := &inFlight{running: make(map[string]*atomic.Int64, len(methods))}
	for _, m := range methods {
		if !isInfrastructure(m) {
			f.running[m] = new(atomic.Int64)
		}
	}
	return f
}

// counter returns where calls of method are counted.
func (f *inFlight) counter(method string) *atomic.Int64 {
	if n, ok := f.running[method]; ok {
		return n
	}
	return &f.other
}

// total is the number of running calls.
func (f *inFlight) total() int64 {
	n := f.other.Load()
	for _, running := range f.running {
		n += running.Load()
	}
	return n
}

// byMethod lists the running calls.
func (f *inFlight) byMethod() []MethodCount {
	var counts []MethodCount
	for method, running := range f.running {
		if n := running.Load(); n > 0 {
			counts = append(counts, MethodCount{method, int(n)})
		}
	}
	if n := f.other.Load(); n > 0 {
		counts = append(counts, MethodCount{"(unknown methods)", int(n)})
	}
	sort.Slice(counts, func(i, j int) bool { return counts[i].Method < counts[j].Method })
	return counts
}

// isInfrastructure tells the methods that the App itself registers.
func isInfrastructure(method string) bool {
	return strings.HasPrefix(method, "/grpc.health.v1.") || strings.HasPrefix(method, "/grpc.reflection.")
}

// handlerStacks returns the stacks of the goroutines that still run a handler. Such a goroutine has one of the two
// functions below, which call every handler, among its frames.
func handlerStacks() []string {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	var stacks []string
	for stack := range bytes.SplitSeq(buf, []byte("\n\n")) {
		if bytes.Contains(stack, []byte("framework.runUnary(")) || bytes.Contains(stack, []byte("framework.runStream(")) {
			stacks = append(stacks, string(stack))
		}
	}
	return stacks
}

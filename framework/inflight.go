package framework

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"sort"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc"
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

// runUnary stands in the stack of every unary handler, where the drain report looks for it. The receiver stays alive, so
// that the stack shows it.
//
//go:noinline
func (f *inFlight) runUnary(ctx context.Context, req any, handler grpc.UnaryHandler) (any, error) {
	reply, err := handler(ctx, req)
	runtime.KeepAlive(f)
	return reply, err
}

// runStream is runUnary for streams.
//
//go:noinline
func (f *inFlight) runStream(srv any, ss grpc.ServerStream, handler grpc.StreamHandler) error {
	err := handler(srv, ss)
	runtime.KeepAlive(f)
	return err
}

// stacks returns the stacks of the goroutines that still run a handler of this server, and of no other in the process:
// those with one of the two functions above among their frames, and this receiver as its first argument.
func (f *inFlight) stacks() []string {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	unary := fmt.Appendf(nil, "framework.(*inFlight).runUnary(%p", f)
	stream := fmt.Appendf(nil, "framework.(*inFlight).runStream(%p", f)
	var stacks []string
	for stack := range bytes.SplitSeq(buf, []byte("\n\n")) {
		if bytes.Contains(stack, unary) || bytes.Contains(stack, stream) {
			stacks = append(stacks, string(stack))
		}
	}
	return stacks
}

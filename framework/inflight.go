package framework

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"sort"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/plannedend"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/rpcerr"
)

// methodDeadline returns the deadline of a method, or 0 if there is none.
func methodDeadline(m policy.Method) (time.Duration, error) {
	return m.Deadline.Value, nil
}

// guardUnary counts the call, applies the method's deadline, and removes the facts from its error that apply only to
// one hop.
func (s *Server) guardUnary(
	ctx context.Context,
	req any,
	info *grpc.UnaryServerInfo,
	handler grpc.UnaryHandler,
) (any, error) {
	if isInfrastructure(info.FullMethod) {
		return handler(ctx, req)
	}
	limit, err := s.app.parts.deadlines.Get(info.FullMethod)
	if err != nil {
		return nil, status.Error(codes.Internal, "internal error")
	}
	ctx, cancel := bounded(ctx, limit)
	defer cancel()
	running := s.inFlight.counter(info.FullMethod)
	s.inFlight.arrived.Add(1)
	running.Add(1)
	defer running.Add(-1)
	reply, err := s.inFlight.runUnary(ctx, req, handler)
	if err != nil {
		return nil, rpcerr.StripHop(err)
	}
	return reply, nil
}

// guardStream is like guardUnary, for streams. Streams of the health service end when the drain sends GOAWAY, because
// the drain would otherwise wait for them.
func (s *Server) guardStream(
	srv any,
	ss grpc.ServerStream,
	info *grpc.StreamServerInfo,
	handler grpc.StreamHandler,
) error {
	if isInfrastructure(info.FullMethod) {
		ctx, cancel := context.WithCancel(ss.Context())
		defer cancel()
		defer context.AfterFunc(s.goingAway, cancel)()
		return handler(srv, &streamWithContext{ss, ctx})
	}
	limit, err := s.app.parts.deadlines.Get(info.FullMethod)
	if err != nil {
		return status.Error(codes.Internal, "internal error")
	}
	ctx, cancel := bounded(ss.Context(), limit)
	defer cancel()
	if s.gate == nil { // a gate ends the stream itself
		ending, end := context.WithCancelCause(plannedend.NewContext(ctx, s.ending))
		defer end(nil)
		defer context.AfterFunc(s.ended, func() { end(rpcerr.Refuse(rpcerr.PlannedEnd, nil)) })()
		ctx = ending
	}
	if ctx != ss.Context() {
		ss = &streamWithContext{ss, ctx}
	}
	running := s.inFlight.counter(info.FullMethod)
	s.inFlight.arrived.Add(1)
	running.Add(1)
	defer running.Add(-1)
	err = s.inFlight.runStream(srv, ss, handler)
	if err != nil && s.gate == nil && rpcerr.ReasonOf(context.Cause(ctx)) == rpcerr.PlannedEnd {
		return context.Cause(ctx)
	}
	return rpcerr.StripHop(err)
}

// bounded returns ctx with a time limit, or ctx itself if it ends earlier.
func bounded(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if limit <= 0 {
		return ctx, func() {}
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= limit {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, limit)
}

type streamWithContext struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *streamWithContext) Context() context.Context { return s.ctx }

// inFlight counts the calls of one server: the running calls, by method, and all calls that have arrived. Calls of
// health and reflection are not counted, because a drain does not wait for them.
type inFlight struct {
	arrived atomic.Uint64
	running map[string]*atomic.Int64 // written only by newInFlight
	other   atomic.Int64             // calls of methods that an unknown-service handler serves
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

// counter returns the counter for the running calls of method.
func (f *inFlight) counter(method string) *atomic.Int64 {
	if n, ok := f.running[method]; ok {
		return n
	}
	return &f.other
}

// total returns the number of running calls.
func (f *inFlight) total() int64 {
	n := f.other.Load()
	for _, running := range f.running {
		n += running.Load()
	}
	return n
}

// byMethod returns the running calls by method.
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

// isInfrastructure reports whether the App itself registers the method.
func isInfrastructure(method string) bool {
	return strings.HasPrefix(method, "/grpc.health.v1.") || strings.HasPrefix(method, "/grpc.reflection.")
}

// runUnary is in the stack of every unary handler, where the drain report looks for it. It keeps the receiver alive, so
// that the stack contains it.
//
//go:noinline
func (f *inFlight) runUnary(ctx context.Context, req any, handler grpc.UnaryHandler) (any, error) {
	reply, err := handler(ctx, req)
	runtime.KeepAlive(f)
	return reply, err
}

// runStream is like runUnary, for streams.
//
//go:noinline
func (f *inFlight) runStream(srv any, ss grpc.ServerStream, handler grpc.StreamHandler) error {
	err := handler(srv, ss)
	runtime.KeepAlive(f)
	return err
}

// stacks returns the stacks of the goroutines that still run a handler of this server. Such a stack has a frame of one
// of the two functions above, with this receiver as its first argument.
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

package framework

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/interceptors/retry/dedupe"
	"github.com/parley-rpc/parley/interceptors/tracing"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/rpcerr"
)

// step is one place in a chain: its name, and what stands there for unary calls and for streams.
type step[U, S any] struct {
	name   string
	unary  []U
	stream []S
}

type (
	clientStep = step[unaryLayer, streamLayer]
	serverStep = step[grpc.UnaryServerInterceptor, grpc.StreamServerInterceptor]
)

// clientAt is a step of one of our own: self, and the methods that are its interceptors.
func clientAt[T any](name string, self T, unary unaryMethod[T], stream streamMethod[T]) clientStep {
	return clientStep{name, []unaryLayer{layerOfUnaryMethod(self, unary)}, []streamLayer{layerOfStreamMethod(self, stream)}}
}

// clientStepOf is a step of interceptors that are functions, such as the user's.
func clientStepOf(name string, unary []grpc.UnaryClientInterceptor, stream []grpc.StreamClientInterceptor) clientStep {
	s := clientStep{name: name}
	for _, interceptor := range unary {
		s.unary = append(s.unary, layerOfUnary(interceptor))
	}
	for _, interceptor := range stream {
		s.stream = append(s.stream, layerOfStream(interceptor))
	}
	return s
}

func serverAt(name string, unary grpc.UnaryServerInterceptor, stream grpc.StreamServerInterceptor) serverStep {
	return serverStep{name, []grpc.UnaryServerInterceptor{unary}, []grpc.StreamServerInterceptor{stream}}
}

// chain is the client's chain, outside in.
func (c *Client) chain(ch *channel) []clientStep {
	tracer := c.app.parts.tracer
	innermost := clientStepOf("wire record",
		[]grpc.UnaryClientInterceptor{attempt.UnaryClientInterceptor}, []grpc.StreamClientInterceptor{attempt.StreamClientInterceptor})
	if ch.auth != nil {
		innermost = clientAt("auth", ch.auth, (*auth.Channel).UnaryClientInterceptor, (*auth.Channel).StreamClientInterceptor)
		if ch.auth.Within(c.app.parts.domain) {
			// The transaction token, which must not leave the trust domain.
			users := clientAt("", auth.Forward(), (*auth.Forwarder).UnaryClientInterceptor, (*auth.Forwarder).StreamClientInterceptor)
			innermost.unary = append(users.unary, innermost.unary...)
			innermost.stream = append(users.stream, innermost.stream...)
		}
	}
	return []clientStep{
		clientAt("call span", tracer, (*tracing.Tracer).UnaryCallInterceptor, (*tracing.Tracer).StreamCallInterceptor),
		clientStepOf("[Call]", c.callUnary, c.callStream),
		clientAt("deadline, retry", ch.retrier, (*retry.Retrier).UnaryClientInterceptor, (*retry.Retrier).StreamClientInterceptor),
		clientAt("attempt span", tracer, (*tracing.Tracer).UnaryAttemptInterceptor, (*tracing.Tracer).StreamAttemptInterceptor),
		clientStepOf("[Attempt]", c.attemptUnary, c.attemptStream),
		innermost,
	}
}

// link ties the steps together once, so that a call costs no closures.
func (ch *channel) link(steps []clientStep) {
	ch.unary = func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, opts ...grpc.CallOption) error {
		return cc.Invoke(ctx, method, req, reply, opts...)
	}
	ch.stream = func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		return cc.NewStream(ctx, desc, method, opts...)
	}
	for _, step := range slices.Backward(steps) {
		for _, outside := range slices.Backward(step.unary) {
			ch.unary = outside(ch.unary)
		}
		for _, outside := range slices.Backward(step.stream) {
			ch.stream = outside(ch.stream)
		}
	}
}

// chain is the server's chain, outside in.
func (s *Server) chain() []serverStep {
	tracer := s.app.parts.tracer
	recovered := recovery.WithRecoveryHandlerContext(s.app.recovered)
	steps := []serverStep{
		serverAt("span", tracer.UnaryServerInterceptor, tracer.StreamServerInterceptor),
		serverAt("recovery", recovery.UnaryServerInterceptor(recovered), recovery.StreamServerInterceptor(recovered)),
	}
	if s.gate != nil {
		steps = append(steps, serverAt("authenticate, authorize", s.gate.UnaryServerInterceptor, s.gate.StreamServerInterceptor))
	}
	steps = append(steps,
		serverAt("deadline, hop guard", s.guardUnary, s.guardStream),
		serverAt("chain guard", retry.UnaryServerInterceptor, retry.StreamServerInterceptor),
	)
	if s.dedupe != nil {
		// A stream has no key, so nothing stands in its way.
		steps = append(steps, serverStep{name: "dedupe", unary: []grpc.UnaryServerInterceptor{s.dedupe.UnaryServerInterceptor}})
	}
	if s.reportsLoad || s.config().GetLoadReports() {
		steps = append(steps, newLoadReports().step())
	}
	return append(steps, s.userStep())
}

// keys is the store of idempotency keys that all servers of the App share.
func (a *App) keys() dedupe.Store {
	a.keysOnce.Do(func() { a.keyStore = dedupe.NewMemory(0, 0) })
	return a.keyStore
}

// provenCaller gives each proven caller its own idempotency keys.
func provenCaller(ctx context.Context) string {
	peer, ok := auth.PeerFromContext(ctx)
	if !ok {
		return ""
	}
	return peer.ID.String()
}

// userStep is the place of the user's interceptors. They do not see the methods that the App itself registers.
func (s *Server) userStep() serverStep {
	step := serverStep{name: "[Handler]"}
	for i := range s.handlerUnary {
		unary, stream := s.handlerUnary[i], s.handlerStream[i]
		step.unary = append(step.unary, func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			if isInfrastructure(info.FullMethod) {
				return handler(ctx, req)
			}
			return unary(ctx, req, info, handler)
		})
		step.stream = append(step.stream, func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
			if isInfrastructure(info.FullMethod) {
				return handler(srv, ss)
			}
			return stream(srv, ss, info, handler)
		})
	}
	return step
}

// chainOptions are the gRPC server options for the chain and, beneath it, the credentials.
func (s *Server) chainOptions() []grpc.ServerOption {
	options := []grpc.ServerOption{grpc.Creds(insecure.NewCredentials())}
	if s.gate != nil {
		options = s.gate.TransportOptions()
	}
	steps := s.chain()
	own, users := steps[:len(steps)-1], steps[len(steps)-1]
	options = append(options, grpc.ChainUnaryInterceptor(linkUnary(own)), grpc.ChainUnaryInterceptor(users.unary...))
	for _, step := range steps {
		options = append(options, grpc.ChainStreamInterceptor(step.stream...))
	}
	return options
}

// recovered turns a panic of a handler into a status that says nothing, and a log line that says everything.
func (a *App) recovered(ctx context.Context, p any) error {
	a.parts.logger.LogAttrs(ctx, slog.LevelError, "a handler panicked",
		slog.String("panic", fmt.Sprint(p)), slog.String("stack", string(debug.Stack())))
	return status.Error(codes.Internal, "internal error")
}

// methodDeadline compiles the deadline of a method; 0 is none.
func methodDeadline(m policy.Method) (time.Duration, error) {
	return m.Deadline.Value, nil
}

// guardUnary counts the call, bounds it by the method's deadline, and keeps what hops below said about themselves from
// travelling on.
func (s *Server) guardUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
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

// guardStream is guardUnary for streams. Streams of the health service end when the drain comes to GOAWAY, since they
// would hold it up.
func (s *Server) guardStream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
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
	if ctx != ss.Context() {
		ss = &streamWithContext{ss, ctx}
	}
	running := s.inFlight.counter(info.FullMethod)
	s.inFlight.arrived.Add(1)
	running.Add(1)
	defer running.Add(-1)
	return rpcerr.StripHop(s.inFlight.runStream(srv, ss, handler))
}

// bounded returns ctx itself where it ends within limit anyway.
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

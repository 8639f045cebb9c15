package framework

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/logging"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/interceptors/retry/dedupe"
	"github.com/parley-rpc/parley/principal"
)

func serverAt(name string, unary grpc.UnaryServerInterceptor, stream grpc.StreamServerInterceptor) serverStep {
	return serverStep{name, []grpc.UnaryServerInterceptor{unary}, []grpc.StreamServerInterceptor{stream}}
}

// chain returns the server's chain, from outside to inside.
func (s *Server) chain() []serverStep {
	tracer := s.app.parts.tracer
	recovered := recovery.WithRecoveryHandlerContext(s.app.recovered)
	steps := []serverStep{
		serverAt("span", tracer.UnaryServerInterceptor, tracer.StreamServerInterceptor),
		{
			"recovery",
			[]grpc.UnaryServerInterceptor{s.app.answerExit, recovery.UnaryServerInterceptor(recovered)},
			[]grpc.StreamServerInterceptor{s.app.answerStreamExit, recovery.StreamServerInterceptor(recovered)},
		},
	}
	if s.gate != nil {
		steps = append(
			steps,
			serverAt("authenticate, authorize", s.gate.UnaryServerInterceptor, s.gate.StreamServerInterceptor),
		)
	}
	if s.logsAccess {
		steps = append(steps, s.accessLog())
	}
	steps = append(steps,
		serverAt("deadline, hop guard", s.guardUnary, s.guardStream),
		serverAt("chain guard", retry.UnaryServerInterceptor, retry.StreamServerInterceptor),
	)
	if s.dedupe != nil {
		// A stream has no idempotency key, so it is not deduplicated.
		steps = append(
			steps,
			serverStep{name: "dedupe", unary: []grpc.UnaryServerInterceptor{s.dedupe.UnaryServerInterceptor}},
		)
	}
	if s.reportsLoad || s.config().GetLoadReports() {
		// Load reports come after the steps that refuse calls, because a refusal does not reach the handlers.
		reports := newLoadReports()
		steps = append(steps, serverAt("load report", reports.unary, reports.stream))
	}
	return append(steps, s.userStep())
}

// answerExit answers a call whose handler has called runtime.Goexit, as t.FailNow of a mock does. gRPC would not
// answer, and the caller would wait until its deadline.
func (a *App) answerExit(
	ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler,
) (reply any, err error) {
	returned := false
	defer func() {
		if !returned {
			a.exited(ctx, info.FullMethod)
		}
	}()
	reply, err = handler(ctx, req)
	returned = true
	return reply, err
}

// answerStreamExit is like answerExit, for streams. If streams are authenticated, the gate turns the exit into a panic.
func (a *App) answerStreamExit(
	srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler,
) (err error) {
	returned := false
	defer func() {
		if !returned {
			a.exited(stream.Context(), info.FullMethod)
		}
	}()
	err = handler(srv, stream)
	returned = true
	return err
}

func (a *App) exited(ctx context.Context, method string) {
	a.parts.logger.LogAttrs(ctx, slog.LevelError, "a handler called runtime.Goexit", slog.String("method", method))
	// gRPC's type has this method, but no interface of gRPC has it.
	transport, ok := grpc.ServerTransportStreamFromContext(ctx).(interface{ WriteStatus(*status.Status) error })
	if ok {
		_ = transport.WriteStatus(status.New(codes.Internal, "internal error")) // it fails if the caller is gone
	}
}

// accessLog returns the step that logs calls. It runs after authentication, so that it knows the caller.
func (s *Server) accessLog() serverStep {
	logger := s.app.parts.logger
	write := logging.LoggerFunc(func(ctx context.Context, level logging.Level, message string, fields ...any) {
		logger.Log(ctx, slog.Level(level), message, fields...)
	})
	options := []logging.Option{
		logging.WithLogOnEvents(logging.FinishCall),
		logging.WithFieldsFromContext(func(ctx context.Context) logging.Fields {
			if caller := provenCaller(ctx); caller != "" {
				return logging.Fields{"caller", caller}
			}
			return nil
		}),
	}
	return serverAt("access log",
		logging.UnaryServerInterceptor(write, options...), logging.StreamServerInterceptor(write, options...))
}

// keys returns the store of idempotency keys, which all servers of the App share.
func (a *App) keys() dedupe.Store {
	a.keysOnce.Do(func() { a.keyStore = dedupe.NewMemory(0, 0) })
	return a.keyStore
}

// provenCaller returns the ID of the caller, so that each proven caller has its own idempotency keys.
func provenCaller(ctx context.Context) string {
	peer, ok := principal.PeerFromContext(ctx)
	if !ok {
		return ""
	}
	return peer.ID.String()
}

// userStep returns the step with the user's interceptors. They do not run for the methods that the App itself
// registers.
func (s *Server) userStep() serverStep {
	step := serverStep{name: "[Handler]"}
	for i := range s.handlerUnary {
		unary, stream := s.handlerUnary[i], s.handlerStream[i]
		step.unary = append(
			step.unary,
			func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
				if isInfrastructure(info.FullMethod) {
					return handler(ctx, req)
				}
				return unary(ctx, req, info, handler)
			},
		)
		step.stream = append(
			step.stream,
			func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
				if isInfrastructure(info.FullMethod) {
					return handler(srv, ss)
				}
				return stream(srv, ss, info, handler)
			},
		)
	}
	return step
}

// transportOptions returns the gRPC server options for the connections.
func (s *Server) transportOptions() []grpc.ServerOption {
	if s.gate != nil {
		return s.gate.TransportOptions()
	}
	return []grpc.ServerOption{grpc.Creds(insecure.NewCredentials())}
}

// limitOptions are the gRPC server options that bound callers before they have proven anything. Raw options of the
// program may lower these bounds, and not raise them.
func (s *Server) limitOptions() []grpc.ServerOption {
	if s.gate == nil {
		return nil
	}
	calls, metadata := s.gate.Limits()
	if calls == 0 {
		return nil
	}
	raw := s.raw()
	return []grpc.ServerOption{
		grpc.MaxConcurrentStreams(lower(calls, raw.calls)),
		grpc.MaxHeaderListSize(lower(metadata, raw.metadata)),
	}
}

// chainOptions returns the gRPC server options for the chain and the credentials.
func (s *Server) chainOptions() []grpc.ServerOption {
	options := []grpc.ServerOption{grpc.Creds(insecure.NewCredentials())}
	if s.gate != nil {
		options = []grpc.ServerOption{grpc.Creds(s.gate.TransportCredentials())}
	}
	options = append(options, s.keepaliveOptions()...)
	steps := s.chain()
	own, users := steps[:len(steps)-1], steps[len(steps)-1]
	options = append(options, grpc.ChainUnaryInterceptor(linkUnary(own)), grpc.ChainUnaryInterceptor(users.unary...))
	for _, step := range steps {
		options = append(options, grpc.ChainStreamInterceptor(step.stream...))
	}
	return options
}

// recovered turns a panic of a handler into a status without details, and logs the details.
func (a *App) recovered(ctx context.Context, p any) error {
	a.parts.logger.LogAttrs(ctx, slog.LevelError, "a handler panicked",
		slog.String("panic", fmt.Sprint(p)), slog.String("stack", string(debug.Stack())))
	return status.Error(codes.Internal, "internal error")
}

// linkUnary makes one interceptor from the steps outside of the user's interceptors.
//
// gRPC would allocate a handler for each interceptor of each call. Each of these interceptors calls its handler at most
// once, on the same goroutine, and returns after it. So one handler is enough for all of them: it knows the position of
// the call in the chain, and is used again for another call. BenchmarkServerChain measures the saving. The user's
// interceptors may call their handlers in any way, so gRPC chains them.
func linkUnary(steps []serverStep) grpc.UnaryServerInterceptor {
	var chain []grpc.UnaryServerInterceptor
	for _, step := range steps {
		chain = append(chain, step.unary...)
	}
	idle := sync.Pool{New: func() any {
		c := &unaryCall{chain: chain}
		c.next = c.proceed
		return c
	}}
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		c := idle.Get().(*unaryCall)
		c.at, c.info, c.handler = 0, info, handler
		reply, err := c.proceed(ctx, req)
		// After a panic the object is not used again.
		c.info, c.handler = nil, nil
		idle.Put(c)
		return reply, err
	}
}

// unaryCall is the state of one call in the chain.
type unaryCall struct {
	chain   []grpc.UnaryServerInterceptor
	at      int // the position in the chain
	info    *grpc.UnaryServerInfo
	handler grpc.UnaryHandler
	next    grpc.UnaryHandler // proceed
}

func (c *unaryCall) proceed(ctx context.Context, req any) (any, error) {
	if c.at == len(c.chain) {
		return c.handler(ctx, req)
	}
	interceptor := c.chain[c.at]
	c.at++
	return interceptor(ctx, req, c.info, c.next)
}

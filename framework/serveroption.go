package framework

import (
	"fmt"
	"net"
	"strings"

	"google.golang.org/grpc"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/interceptors/retry/dedupe"
)

// WithHandlerInterceptors places interceptors around the handlers of a server. The caller is authenticated and
// authorized by then. Health and reflection, which the App registers itself, do not pass them. Both are required.
func WithHandlerInterceptors(unary grpc.UnaryServerInterceptor, stream grpc.StreamServerInterceptor) AppOrServerOption {
	return appOrServerOption{serverOption{"WithHandlerInterceptors(...)", func(s *Server) {
		if unary == nil || stream == nil {
			s.app.mistake("WithHandlerInterceptors: %w", errOneSided)
			return
		}
		s.handlerUnary = append(s.handlerUnary, unary)
		s.handlerStream = append(s.handlerStream, stream)
	}}}
}

// WithDedupe runs a unary call that carries an idempotency key once, directly around the handlers of a server: see
// package interceptors/retry/dedupe. Each proven caller has keys of its own; without an identity ([WithInsecureDev])
// callers share them. Keys and answers are kept in memory, in one store for all servers of the App, unless
// dedupe.WithStore gives one that replicas share: a service with several replicas needs that. On the client,
// retry.WithKeyedMethods states that a service does this, see [WithRetry].
func WithDedupe(opts ...dedupe.Option) AppOrServerOption {
	texts := make([]string, len(opts))
	for i, o := range opts {
		texts[i] = o.String()
	}
	return appOrServerOption{serverOption{"WithDedupe(" + strings.Join(texts, ", ") + ")", func(s *Server) {
		options := append([]dedupe.Option{dedupe.WithStore(s.app.keys()), dedupe.WithCaller(provenCaller)}, opts...)
		s.dedupe = dedupe.New(options...)
		if err := s.dedupe.Check(); err != nil {
			s.app.mistake("WithDedupe: %w", err)
		}
	}}}
}

// WithServerOptions passes options to grpc.NewServer. Check refuses those that would replace what Parley answers for,
// such as transport credentials, interceptors and keepalive, and names what to use instead; docs/operation.md lists
// every option.
func WithServerOptions(opts ...grpc.ServerOption) AppOrServerOption {
	return appOrServerOption{serverOption{fmt.Sprintf("WithServerOptions(%d options)", len(opts)), func(s *Server) {
		s.grpcOptions = append(s.grpcOptions, opts...)
	}}}
}

// WithAccessLog logs each call that a server has authorized when it ends: method, status, duration, and the proven
// caller. Calls that the server refuses are logged by the authentication.
func WithAccessLog() AppOrServerOption {
	return appOrServerOption{serverOption{"WithAccessLog()", func(s *Server) { s.logsAccess = true }}}
}

// WithServiceName registers a server in discovery under a name other than the App's. The second and further servers of
// an App need one, or are not registered.
func WithServiceName(name string) ServerOption {
	return serverOption{fmt.Sprintf("WithServiceName(%q)", name), func(s *Server) { s.service = name }}
}

// WithListener serves on a listener that the caller made, instead of binding the server's address. Run closes it, also
// when it fails to start.
func WithListener(l net.Listener) ServerOption {
	return serverOption{fmt.Sprintf("WithListener(%s)", l.Addr()), func(s *Server) { s.listener = l }}
}

// WithReflection offers gRPC server reflection to every authenticated caller. The configuration
// servers.<name>.reflection overrides it.
func WithReflection() ServerOption {
	return serverOption{"WithReflection()", func(s *Server) { s.reflection = true }}
}

// WithLoadReports makes the server send its clients with each call how busy it is, as ORCA reports, for clients that
// balance by weighted_round_robin. The configuration servers.<name>.load_reports does the same.
func WithLoadReports() ServerOption {
	return serverOption{"WithLoadReports()", func(s *Server) { s.reportsLoad = true }}
}

// WithControlledListener lets the control plane of the App describe the listener of the server, which serves while it
// does. The configuration servers.<name>.control_plane overrides it.
func WithControlledListener() ServerOption {
	return serverOption{"WithControlledListener()", func(s *Server) { s.isControlled = true }}
}

// WithAuth passes options to the authentication of servers: predicates that policies name, issuers of users, step-up.
// They come after those of the configuration.
func WithAuth(options ...auth.ServerOption) AppOrServerOption {
	texts := make([]string, len(options))
	for i, o := range options {
		if o != nil {
			texts[i] = o.String()
		}
	}
	return appOrServerOption{
		serverOption{"WithAuth(" + strings.Join(texts, ", ") + ")", func(s *Server) { s.auth = append(s.auth, options...) }},
	}
}

package framework

import (
	"fmt"
	"net"
	"strings"

	"google.golang.org/grpc"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/interceptors/retry/dedupe"
)

// WithHandlerInterceptors adds interceptors that run around the handlers of a server, after the caller has been
// authenticated and authorized. They do not run for health and reflection, which the App registers itself. Both are
// required.
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

// WithDedupe runs the handler of a unary call with an idempotency key only once for each key; see package
// interceptors/retry/dedupe. Each proven caller has its own keys. Without an identity ([WithInsecureDev]) all callers
// share the keys. Keys and answers are kept in memory, in one store for all servers of the App. A service with several
// replicas needs a store that they share; set it with dedupe.WithStore. On the client, retry.WithKeyedMethods states
// that a service deduplicates calls; see [WithRetry].
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

// WithServerOptions passes options to grpc.NewServer. Check refuses options that would replace a part of Parley, such
// as transport credentials and interceptors, and its error names the replacement. Keepalive parameters are merged with
// Parley's own. Docs/operation.md lists every option.
func WithServerOptions(opts ...grpc.ServerOption) AppOrServerOption {
	return appOrServerOption{serverOption{fmt.Sprintf("WithServerOptions(%d options)", len(opts)), func(s *Server) {
		s.grpcOptions = append(s.grpcOptions, opts...)
	}}}
}

// WithAccessLog logs each authorized call of a server when the call ends, with its method, status, duration and proven
// caller. Refused calls are always logged by the authentication.
func WithAccessLog() AppOrServerOption {
	return appOrServerOption{serverOption{"WithAccessLog()", func(s *Server) { s.logsAccess = true }}}
}

// WithServiceName sets the name under which a server is registered in discovery. The default of the first server is the
// App's name. Further servers are registered only with this option.
func WithServiceName(name string) ServerOption {
	return serverOption{fmt.Sprintf("WithServiceName(%q)", name), func(s *Server) { s.service = name }}
}

// WithListener sets the listener of a server. The server then does not bind its address. Run closes the listener, even
// if the start fails.
func WithListener(l net.Listener) ServerOption {
	return serverOption{fmt.Sprintf("WithListener(%s)", l.Addr()), func(s *Server) { s.listener = l }}
}

// WithReflection enables gRPC server reflection for every authenticated caller. By default it is disabled. The
// configuration servers.<name>.reflection overrides it.
func WithReflection() ServerOption {
	return serverOption{"WithReflection()", func(s *Server) { s.reflection = true }}
}

// WithLoadReports makes the server report its load to its clients with each call, as an ORCA report, for clients that
// balance with weighted_round_robin. The configuration servers.<name>.load_reports overrides it.
func WithLoadReports() ServerOption {
	return serverOption{"WithLoadReports()", func(s *Server) { s.reportsLoad = true }}
}

// WithControlledListener lets the control plane of the App configure the listener of the server. The server serves
// while it is configured. The configuration servers.<name>.control_plane overrides it.
func WithControlledListener() ServerOption {
	return serverOption{"WithControlledListener()", func(s *Server) { s.isControlled = true }}
}

// WithAuth passes options to the authentication of servers, such as predicates for policies, issuers of users, and
// step-up. They are applied after the options of the configuration.
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

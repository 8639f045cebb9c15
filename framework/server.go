package framework

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionv1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"

	"github.com/parley-rpc/parley/discovery/controlplane"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/interceptors/retry/dedupe"
	"github.com/parley-rpc/parley/internal/joined"
	"github.com/parley-rpc/parley/internal/stated"
	"github.com/parley-rpc/parley/plannedend"
	"github.com/parley-rpc/parley/policy"
)

// Server is one listener with one gRPC server. It implements grpc.ServiceRegistrar: pass it to the Register functions
// of generated code before the App runs. The App registers the health service.
type Server struct {
	serverSettings
	app *App

	stated rawServerOptions

	mu       sync.Mutex
	services []registration
	sealed   bool

	gate     *auth.Gate
	grpc     controlplane.Server
	health   *health.Server
	bound    net.Listener
	inFlight *inFlight

	unserved   atomic.Pointer[error] // why a controlled server does not serve; nil while it does
	reconsider func()                // makes the readiness checks run at once

	goingAway context.Context // ends when the drain sends GOAWAY
	goAway    context.CancelFunc

	ending     *plannedend.Notice // the notice for its streams; nil in a trial
	ended      context.Context    // ends when the streams must end
	endStreams context.CancelFunc
}

// serverSettings are the values of the arguments and options of a Server.
type serverSettings struct {
	addr    string
	service string
	options []ServerOption

	listener      net.Listener
	reflection    bool
	reportsLoad   bool
	logsAccess    bool
	isControlled  bool
	grpcOptions   []grpc.ServerOption
	handlerUnary  []grpc.UnaryServerInterceptor
	handlerStream []grpc.StreamServerInterceptor
	auth          []auth.ServerOption
	dedupe        *dedupe.Deduplicator // nil without deduplication
}

type registration struct {
	desc *grpc.ServiceDesc
	impl any
}

var _ grpc.ServiceRegistrar = (*Server)(nil)

// RegisterService adds a service. Generated code calls it. [App.Check] reports mistakes: an implementation without all
// methods, a service that is registered twice, or a registration after Run.
func (s *Server) RegisterService(desc *grpc.ServiceDesc, impl any) {
	if desc == nil {
		s.app.mistake(
			"Server(%q): RegisterService with a nil description; use the Register function of generated code", s.addr,
		)
		return
	}
	if wanted := reflect.TypeOf(desc.HandlerType); wanted != nil {
		if got := reflect.TypeOf(impl); got == nil || !got.Implements(wanted.Elem()) {
			s.app.mistake(
				"Server(%q): the implementation of %s, a %T, does not implement %s; "+
					"add the methods, or embed the generated Unimplemented type",
				s.addr,
				desc.ServiceName,
				impl,
				wanted.Elem(),
			)
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sealed {
		s.app.logger.Error(
			"a service was registered after Run and is not served; register it before",
			slog.String("service", desc.ServiceName),
		)
		return
	}
	for _, r := range s.services {
		if r.desc.ServiceName == desc.ServiceName {
			s.app.mistake("Server(%q): %s is registered twice; remove one of the two", s.addr, desc.ServiceName)
			return
		}
	}
	s.services = append(s.services, registration{desc, impl})
}

// Addr returns the address that the server listens on, with the actual port. It returns nil before the server is bound.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bound == nil {
		return nil
	}
	return s.bound.Addr()
}

// GetServiceInfo returns the registered services by name, as grpc.Server does.
func (s *Server) GetServiceInfo() map[string]grpc.ServiceInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	services := make(map[string]grpc.ServiceInfo, len(s.services))
	for _, r := range s.services {
		info := grpc.ServiceInfo{Metadata: r.desc.Metadata}
		for _, m := range r.desc.Methods {
			info.Methods = append(info.Methods, grpc.MethodInfo{Name: m.MethodName})
		}
		for _, m := range r.desc.Streams {
			info.Methods = append(info.Methods,
				grpc.MethodInfo{Name: m.StreamName, IsClientStream: m.ClientStreams, IsServerStream: m.ServerStreams})
		}
		services[r.desc.ServiceName] = info
	}
	return services
}

// methods lists the full names of the methods that were registered with the server.
func (s *Server) methods() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, r := range s.services {
		names = append(names, methodsOf(r.desc)...)
	}
	return names
}

// listenAddr returns the configured address, or else the address in the code.
func (s *Server) listenAddr() string {
	if conf := s.config(); conf.GetListen() != "" {
		return conf.GetListen()
	}
	return s.addr
}

func (s *Server) check() error {
	conf := s.config()
	var errs []error
	if addr, ok := s.tcpAddr(); ok {
		host, _, err := net.SplitHostPort(addr)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("Server(%q): want host:port, such as :8443: %w", addr, err))
		case s.app.insecure && !isLoopback(host):
			errs = append(
				errs,
				fmt.Errorf(
					"Server(%q): WithInsecureDev serves only on loopback addresses; use 127.0.0.1:port, or configure an identity",
					addr,
				),
			)
		}
	}
	if conf.GetAdvertise() != "" {
		if _, _, err := net.SplitHostPort(conf.GetAdvertise()); err != nil {
			errs = append(errs, fmt.Errorf("servers.%s.advertise: want host:port, as others reach it: %w", s.service, err))
		}
	}
	if len(s.methods()) == 0 {
		errs = append(
			errs,
			fmt.Errorf(
				"Server(%q): no service is registered; pass the server to a Register function of generated code before Run",
				s.addr,
			),
		)
	}
	gate, err := s.makeGate()
	errs = append(errs, err)
	if gate != nil {
		mistakes := gate.Check()
		if conf.GetUserAuthorization() {
			mistakes = stated.Mistakes("servers."+s.service, mistakes)
		}
		errs = append(errs, without(mistakes, s.app.parts.identity.Check()), s.resolve(gate))
	}
	errs = append(errs, s.raw().err, s.checkKeepalive(), s.checkControlPlane())
	return errors.Join(errs...)
}

// resolve returns the mistakes in the policies of the server's methods.
func (s *Server) resolve(gate *auth.Gate) error {
	err := gate.Resolve(s.allMethods()...)
	if !s.app.parts.undecided {
		return err
	}
	return errors.Join(slices.DeleteFunc(joined.Errors(err), func(e error) bool {
		_, undecided := errors.AsType[*policy.UndecidedError](e)
		return undecided
	})...)
}

// tcpAddr returns the address that the server binds, or the address of the caller's listener if it is a TCP listener.
func (s *Server) tcpAddr() (addr string, ok bool) {
	if s.listener == nil {
		return s.listenAddr(), true
	}
	_, ok = s.listener.Addr().(*net.TCPAddr)
	return s.listener.Addr().String(), ok
}

// setting returns the name of a value of the server in the configuration, for errors.
func (s *Server) setting(name string) string {
	if s.service == "" {
		return "in code; the configuration has only servers with a service name, see WithServiceName"
	}
	return "with servers." + s.service + "." + name
}

// raw reads the raw server options, once.
func (s *Server) raw() *rawServerOptions {
	s.stated.read(s.grpcOptions, s.addr, s.setting)
	return &s.stated
}

// allMethods returns the registered methods and the methods that the App will add.
func (s *Server) allMethods() []string {
	names := append(s.methods(), methodsOf(&healthv1.Health_ServiceDesc)...)
	if s.offersReflection() {
		names = append(names, methodsOf(&reflectionv1.ServerReflection_ServiceDesc)...)
		names = append(names, methodsOf(&reflectionv1alpha.ServerReflection_ServiceDesc)...)
	}
	return names
}

func (s *Server) offersReflection() bool {
	if conf := s.config(); conf.Reflection != nil {
		return conf.GetReflection()
	}
	return s.reflection
}

// build makes the gRPC server and registers all services. Run calls it once, after a successful check.
func (s *Server) build() error {
	s.mu.Lock()
	s.sealed = true
	s.mu.Unlock()

	s.inFlight = newInFlight(s.allMethods())
	s.goingAway, s.goAway = context.WithCancel(context.Background())
	s.ended, s.endStreams = context.WithCancel(context.Background())
	options := append([]grpc.ServerOption{
		grpc.MaxRecvMsgSize(defaultMaxRequestBytes),
		grpc.MaxHeaderListSize(maxHeaderListBytes),
		grpc.NumStreamWorkers(streamWorkers),
	}, s.transportOptions()...)
	// gRPC uses the last option of a kind, so the options that the program must not replace come last.
	options = append(options, s.grpcOptions...)
	options = append(options, s.limitOptions()...)
	if n := s.config().GetMaxRequestBytes(); n > 0 {
		options = append(options, grpc.MaxRecvMsgSize(int(n)))
	}
	options = append(options, s.chainOptions()...)
	var err error
	if s.grpc, err = s.newGRPC(options); err != nil {
		return fmt.Errorf("Server(%q): %w", s.listenAddr(), err)
	}
	for _, r := range s.services {
		s.grpc.RegisterService(r.desc, r.impl)
	}
	s.health = health.NewServer()
	s.setServing(false)
	if !s.registers(healthv1.Health_ServiceDesc.ServiceName) {
		healthv1.RegisterHealthServer(s.grpc, s.health)
	}
	if s.offersReflection() {
		reflection.Register(s.grpc)
	}
	return nil
}

func (s *Server) newGRPC(options []grpc.ServerOption) (controlplane.Server, error) {
	if s.controlled() {
		return s.newControlled(options)
	}
	return grpc.NewServer(options...), nil
}

func (s *Server) registers(service string) bool {
	for _, r := range s.services {
		if r.desc.ServiceName == service {
			return true
		}
	}
	return false
}

// setServing sets the health of the server as a whole and of each of its services.
func (s *Server) setServing(serving bool) {
	status := healthv1.HealthCheckResponse_NOT_SERVING
	if serving {
		status = healthv1.HealthCheckResponse_SERVING
	}
	s.health.SetServingStatus("", status)
	for _, r := range s.services {
		s.health.SetServingStatus(r.desc.ServiceName, status)
	}
}

func methodsOf(desc *grpc.ServiceDesc) []string {
	names := make([]string, 0, len(desc.Methods)+len(desc.Streams))
	for _, m := range desc.Methods {
		names = append(names, "/"+desc.ServiceName+"/"+m.MethodName)
	}
	for _, m := range desc.Streams {
		names = append(names, "/"+desc.ServiceName+"/"+m.StreamName)
	}
	return names
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return ip != nil && ip.IsLoopback()
}

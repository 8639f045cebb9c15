package xds

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"
	grpcxds "google.golang.org/grpc/xds"

	"github.com/parley-rpc/parley/discovery/controlplane"
)

var errNotDescribed = errors.New("xds: the control plane has not configured the listener of this server yet")

// Server is a gRPC server whose listener a control plane configures (gRFC A36). It serves while the configuration
// exists and has no RBAC policies with principals; see [PrincipalError]. Otherwise it closes connections or refuses
// calls with UNAVAILABLE. It always answers calls of the health service.
type Server struct {
	grpc    *grpcxds.GRPCServer
	notify  func(serving bool, why error)
	changed chan struct{} // holds one token after a change of mode
	serves  atomic.Bool   // calls are accepted
	quit    chan struct{}
	stop    func()
	watcher sync.WaitGroup

	mu   sync.Mutex
	mode grpcxds.ServingModeChangeArgs
}

// NewServer returns a server that calls notify whenever it starts or stops serving. If it stops, the reason is a
// [*PrincipalError] or an error of gRPC. A goroutine that ends with Stop or GracefulStop calls notify. Notify may be
// nil. NewServer returns an error if there is no usable bootstrap. For servers the bootstrap must have a
// server_listener_resource_name_template.
//
// The listener must be a TCP listener. Do not pass [grpcxds.ServingModeCallback], because it would replace the callback
// of the server.
func (*ControlPlane) NewServer(
	notify func(serving bool, why error),
	options ...grpc.ServerOption,
) (controlplane.Server, error) {
	if notify == nil {
		notify = func(bool, error) {}
	}
	s := &Server{notify: notify, changed: make(chan struct{}, 1), quit: make(chan struct{})}
	s.stop = sync.OnceFunc(func() { close(s.quit) })
	s.mode = grpcxds.ServingModeChangeArgs{Mode: connectivity.ServingModeNotServing, Err: errNotDescribed}
	var err error
	s.grpc, err = grpcxds.NewGRPCServer(append([]grpc.ServerOption{
		grpcxds.ServingModeCallback(s.modeChanged),
		grpc.ChainUnaryInterceptor(s.guardUnary),
		grpc.ChainStreamInterceptor(s.guardStream),
	}, options...)...)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// RegisterService registers a service. Generated code calls it, before Serve.
func (s *Server) RegisterService(desc *grpc.ServiceDesc, impl any) {
	s.grpc.RegisterService(desc, impl)
}

// GetServiceInfo returns the registered services.
func (s *Server) GetServiceInfo() map[string]grpc.ServiceInfo { return s.grpc.GetServiceInfo() }

// Serve accepts connections until Stop or GracefulStop, as [grpc.Server.Serve] does.
func (s *Server) Serve(l net.Listener) error {
	s.watcher.Go(func() { s.watch(l.Addr().String()) })
	defer s.watcher.Wait()
	err := s.grpc.Serve(l)
	s.stop()
	return err
}

// Stop ends every connection and call at once.
func (s *Server) Stop() {
	s.stop()
	s.grpc.Stop()
}

// GracefulStop refuses new calls, waits until the running calls have ended, and then stops.
func (s *Server) GracefulStop() {
	s.stop()
	s.grpc.GracefulStop()
}

// modeChanged is the callback of gRPC. It must not block.
func (s *Server) modeChanged(_ net.Addr, args grpcxds.ServingModeChangeArgs) {
	s.mu.Lock()
	s.mode = args
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default: // a token is there already
	}
}

// watch calls notify for each change of whether the server serves.
func (s *Server) watch(address string) {
	ticker := time.NewTicker(examineInterval)
	defer ticker.Stop()
	reason := errNotDescribed.Error() // "" while it serves
	for {
		select {
		case <-s.changed:
		case <-ticker.C:
		case <-s.quit:
			return
		}
		why, now := s.examine(address), ""
		if why != nil {
			now = why.Error()
		}
		s.serves.Store(why == nil)
		if now != reason {
			reason = now
			s.notify(why == nil, why)
		}
	}
}

// examine returns why the server must not serve, or nil.
func (s *Server) examine(address string) error {
	s.mu.Lock()
	mode := s.mode
	s.mu.Unlock()
	if mode.Mode != connectivity.ServingModeServing {
		if mode.Err == nil {
			return errNotDescribed
		}
		return mode.Err
	}
	described, err := readStatus()
	if err != nil {
		return err
	}
	return described.principals(address)
}

// refuse returns the status of a call that the server must not serve.
func (s *Server) refuse(method string) error {
	if s.serves.Load() || strings.HasPrefix(method, "/grpc.health.v1.Health/") {
		return nil
	}
	return status.Error(codes.Unavailable, "the server does not serve; see its log")
}

func (s *Server) guardUnary(
	ctx context.Context,
	req any,
	info *grpc.UnaryServerInfo,
	handler grpc.UnaryHandler,
) (any, error) {
	if err := s.refuse(info.FullMethod); err != nil {
		return nil, err
	}
	return handler(ctx, req)
}

func (s *Server) guardStream(
	srv any,
	ss grpc.ServerStream,
	info *grpc.StreamServerInfo,
	handler grpc.StreamHandler,
) error {
	if err := s.refuse(info.FullMethod); err != nil {
		return err
	}
	return handler(srv, ss)
}

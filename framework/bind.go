package framework

import (
	"context"
	"errors"
	"fmt"
	"net"

	"google.golang.org/grpc"

	"github.com/parley-rpc/parley/discovery"
)

// bind binds the server's address.
func (s *Server) bind(ctx context.Context) error {
	l := s.listener
	if l == nil {
		var err error
		if l, err = new(net.ListenConfig).Listen(ctx, "tcp", s.listenAddr()); err != nil {
			return fmt.Errorf("Server(%q): %w; choose another address, %s", s.listenAddr(), err, s.setting("listen"))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bound = l
	return nil
}

// serve accepts connections until the server is stopped.
func (s *Server) serve(fail func(error)) {
	go func() {
		if err := s.grpc.Serve(s.bound); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			fail(fmt.Errorf("Server(%q): %w", s.bound.Addr(), err))
		}
	}()
}

// instance returns the instance that is registered in discovery.
func (s *Server) instance() discovery.Instance {
	addr := s.advertised()
	return discovery.Instance{
		ID: s.service + "@" + addr, Service: s.service, Addresses: []string{addr},
		Zone: s.app.homeZone(), Weight: s.config().GetWeight(),
	}
}

// advertised returns the address at which clients reach the server: the configured one, or else the bound one. If the
// server is bound to all addresses of the machine, it is the first address of the machine.
func (s *Server) advertised() string {
	if addr := s.config().GetAdvertise(); addr != "" {
		return addr
	}
	bound := s.bound.Addr().String()
	host, port, err := net.SplitHostPort(bound)
	if err != nil {
		return bound
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsUnspecified() {
		return bound
	}
	return net.JoinHostPort(machineAddress(), port)
}

// machineAddress returns the first address of the machine that is not a loopback address.
func machineAddress() string {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return "127.0.0.1"
	}
	for _, addr := range addrs {
		if n, ok := addr.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	return "127.0.0.1"
}

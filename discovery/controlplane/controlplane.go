// Package controlplane defines the interface between the framework and a control plane. A control plane configures the
// channels and servers of a program: where services are, how calls are balanced and routed, and how connections are
// secured. It replaces the discovery driver for the channels and servers that it controls. Package discovery/xds has an
// implementation.
package controlplane

import (
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// ControlPlane is a client of a control plane. Its constructor does not block, and the control plane may be down at
// that time. Its methods may be called from any goroutine.
type ControlPlane interface {
	// String returns the name of the control plane and how the program finds it, for logs and pages.
	String() string

	// Scheme returns the scheme of the targets that the control plane resolves, such as "xds".
	Scheme() string

	// Check returns every mistake in the configuration of the control plane, joined. It opens no connection.
	Check() error

	// DialOptions returns the options for channels whose target the control plane resolves.
	DialOptions() []grpc.DialOption

	// ClientCredentials returns credentials that secure a connection as the control plane configures it, or with fallback
	// if the control plane configures nothing.
	ClientCredentials(fallback credentials.TransportCredentials) (credentials.TransportCredentials, error)

	// ServerCredentials does the same for the server's end.
	ServerCredentials(fallback credentials.TransportCredentials) (credentials.TransportCredentials, error)

	// NewServer returns a server that serves while the control plane configures its listener. The server calls notify
	// whenever it starts or stops serving; why is the reason when it stops. Calls of notify come one at a time, from the
	// goroutine of Serve or from a goroutine of the server, and end when the server has stopped. Notify must not block.
	NewServer(notify func(serving bool, why error), options ...grpc.ServerOption) (Server, error)
}

// Server is a gRPC server.
type Server interface {
	grpc.ServiceRegistrar
	GetServiceInfo() map[string]grpc.ServiceInfo
	Serve(net.Listener) error
	Stop()
	GracefulStop()
}

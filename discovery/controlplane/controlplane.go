// Package controlplane is what the framework needs of a control plane: one that says to the channels and servers of a
// program where services are, how calls are spread and routed, and how connections are secured. It takes the place of a
// driver of discovery for those that it controls. Package discovery/xds has one.
package controlplane

import (
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// ControlPlane is a client of a control plane. Making one neither blocks nor needs it to be up. Its methods may be
// called from any goroutine.
type ControlPlane interface {
	// String names the control plane and how it is found.
	String() string

	// Scheme is that of the targets that it resolves, such as "xds".
	Scheme() string

	// Check returns every mistake in how the control plane is to be found, joined. It opens no connection.
	Check() error

	// DialOptions are for channels whose target it resolves.
	DialOptions() []grpc.DialOption

	// ClientCredentials secure a connection as the control plane says, and leave it to fallback where it says nothing.
	ClientCredentials(fallback credentials.TransportCredentials) (credentials.TransportCredentials, error)

	// ServerCredentials do so at the server's end.
	ServerCredentials(fallback credentials.TransportCredentials) (credentials.TransportCredentials, error)

	// NewServer returns a server that serves while the control plane describes its listener. It calls notify whenever that
	// begins or ends, with the reason for the end, one call at a time, from the goroutine of Serve or of its own, until
	// the server has stopped. Notify does not block.
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

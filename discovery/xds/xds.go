// Package xds lets an xDS control plane, such as Istio's, configure channels and servers: where services are, how calls
// are routed and balanced, and how connections are secured. It uses gRPC's xds package. Identities, policies,
// deadlines, retries and traces stay with Parley.
//
//	app := framework.New("orders", framework.WithControlPlane(xds.New()))
//	payments := app.Client("payments", framework.WithTarget("xds:///payments"))
//	server := app.Server(":8443", framework.WithControlledListener())
//
// The bootstrap tells gRPC how to reach the control plane. It is the file that the environment variable
// GRPC_XDS_BOOTSTRAP names, or the JSON in GRPC_XDS_BOOTSTRAP_CONFIG. gRPC reads the variables when the process starts.
//
// Linking this package adds about 20 MB to a program.
package xds

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	xdscredentials "google.golang.org/grpc/credentials/xds"

	"github.com/parley-rpc/parley/discovery/controlplane"
)

// The environment variables for the bootstrap of gRPC (gRFC A27). The file has precedence.
const (
	bootstrapFile = "GRPC_XDS_BOOTSTRAP"
	bootstrapJSON = "GRPC_XDS_BOOTSTRAP_CONFIG"
)

// ErrNoBootstrap is the error of [ControlPlane.Check] if the environment has no bootstrap.
var ErrNoBootstrap = fmt.Errorf(
	"xds: the environment has no bootstrap; "+
		"set %s to the file with gRPC's bootstrap, or %s to its JSON, before the process starts",
	bootstrapFile,
	bootstrapJSON,
)

// ControlPlane is the control plane of this process. It is safe for concurrent use and does not have to be closed.
type ControlPlane struct{}

var _ controlplane.ControlPlane = (*ControlPlane)(nil)

// New returns the control plane of the bootstrap in the environment. [ControlPlane.Check] returns an error if there is
// none.
func New() *ControlPlane { return &ControlPlane{} }

// String returns "xds" and the location of the bootstrap.
func (*ControlPlane) String() string {
	switch path, text := os.Getenv(bootstrapFile), os.Getenv(bootstrapJSON); {
	case path != "":
		return fmt.Sprintf("xds (%s=%s)", bootstrapFile, path)
	case text != "":
		return fmt.Sprintf("xds (%s)", bootstrapJSON)
	default:
		return "xds (no bootstrap)"
	}
}

// Scheme returns "xds".
func (*ControlPlane) Scheme() string { return "xds" }

// Check finds and reads the bootstrap. Its error matches [ErrNoBootstrap], or describes the mistake in the bootstrap.
// gRPC validates more of the bootstrap when it makes the first channel or server.
func (*ControlPlane) Check() error {
	text, place := []byte(os.Getenv(bootstrapJSON)), bootstrapJSON
	if path := os.Getenv(bootstrapFile); path != "" {
		var err error
		if text, err = os.ReadFile(path); err != nil { //nolint:gosec // the operator names the file
			return fmt.Errorf("xds: %s: %w", bootstrapFile, err)
		}
		place = path
	}
	if len(text) == 0 {
		return ErrNoBootstrap
	}
	var bootstrap struct {
		Servers []json.RawMessage `json:"xds_servers"`
	}
	if err := json.Unmarshal(text, &bootstrap); err != nil {
		return fmt.Errorf("xds: %s: %w", place, err)
	}
	if len(bootstrap.Servers) == 0 {
		return fmt.Errorf("xds: %s: xds_servers is missing or empty; set the address of the control plane there", place)
	}
	return nil
}

// DialOptions returns options for channels with xds targets. Such a channel ignores HTTPS_PROXY and connects to
// endpoints directly. Calls that wait for ready also wait for the first configuration of the control plane; gRPC 1.85
// alone would fail them. A program that links this package registers the scheme xds with gRPC.
func (*ControlPlane) DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithNoProxy(), grpc.WithChainUnaryInterceptor(placeUnary), grpc.WithChainStreamInterceptor(placeStream),
	}
}

// ClientCredentials returns gRPC's xDS credentials (gRFC A29). If the control plane configures certificates, they use
// TLS with these certificates and the names that the control plane accepts. Otherwise they use fallback. It is an error
// if fallback is nil.
func (*ControlPlane) ClientCredentials(
	fallback credentials.TransportCredentials,
) (credentials.TransportCredentials, error) {
	if fallback == nil {
		return nil, errors.New("xds: ClientCredentials: the fallback is missing; pass credentials")
	}
	return xdscredentials.NewClientCredentials(xdscredentials.ClientOptions{FallbackCreds: fallback})
}

// ServerCredentials is like [ControlPlane.ClientCredentials], for the server's end.
func (*ControlPlane) ServerCredentials(
	fallback credentials.TransportCredentials,
) (credentials.TransportCredentials, error) {
	if fallback == nil {
		return nil, errors.New("xds: ServerCredentials: the fallback is missing; pass credentials")
	}
	return xdscredentials.NewServerCredentials(xdscredentials.ServerOptions{FallbackCreds: fallback})
}

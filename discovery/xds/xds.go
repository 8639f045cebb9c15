// Package xds hands channels and servers over to a control plane of xDS, such as Istio's: it says where services are,
// how calls are routed and spread, and how connections are secured. gRPC's own xds package does the work; what stays
// with Parley are identities, policies, deadlines, retries and traces.
//
//	app := framework.New("orders", framework.WithControlPlane(xds.New()))
//	payments := app.Client("payments", framework.WithTarget("xds:///payments"))
//	server := app.Server(":8443", framework.WithControlledListener())
//
// GRPC finds the control plane by its bootstrap: the file that the environment variable GRPC_XDS_BOOTSTRAP names, or
// the JSON in GRPC_XDS_BOOTSTRAP_CONFIG, as they are when the process starts.
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

// The environment variables by which gRPC finds its bootstrap (gRFC A27). The file comes first.
const (
	bootstrapFile = "GRPC_XDS_BOOTSTRAP"
	bootstrapJSON = "GRPC_XDS_BOOTSTRAP_CONFIG"
)

// ErrNoBootstrap is matched by the error of [ControlPlane.Check] where the environment names no control plane.
var ErrNoBootstrap = fmt.Errorf(
	"xds: the environment names no control plane; "+
		"set %s to the file with gRPC's bootstrap, or %s to its JSON, before the process starts",
	bootstrapFile,
	bootstrapJSON,
)

// ControlPlane is the control plane of this process. It is safe for concurrent use and needs no closing.
type ControlPlane struct{}

var _ controlplane.ControlPlane = (*ControlPlane)(nil)

// New returns the control plane that the environment names. Its [ControlPlane.Check] says whether there is one.
func New() *ControlPlane { return &ControlPlane{} }

// String is "xds", with the place of the bootstrap.
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

// Scheme is "xds".
func (*ControlPlane) Scheme() string { return "xds" }

// Check looks for the bootstrap and reads it: an error matches [ErrNoBootstrap], or says what is wrong with it. gRPC
// reads it again, and further, with the first channel or server.
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
		return fmt.Errorf("xds: %s: xds_servers names no control plane; name its address there", place)
	}
	return nil
}

// DialOptions let a channel go to the endpoints of the control plane themselves, whatever HTTPS_PROXY says, and let
// calls that wait for ready outlast the start of the control plane, which gRPC 1.85 fails. The scheme xds is known to
// gRPC by linking this package.
func (*ControlPlane) DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithNoProxy(), grpc.WithChainUnaryInterceptor(placeUnary), grpc.WithChainStreamInterceptor(placeStream),
	}
}

// ClientCredentials are those of gRPC: where the control plane names certificates, TLS with them, and the names that it
// accepts; elsewhere those of fallback (gRFC A29).
func (*ControlPlane) ClientCredentials(
	fallback credentials.TransportCredentials,
) (credentials.TransportCredentials, error) {
	if fallback == nil {
		return nil, errors.New("xds: ClientCredentials: there is nothing to fall back to; pass credentials")
	}
	return xdscredentials.NewClientCredentials(xdscredentials.ClientOptions{FallbackCreds: fallback})
}

// ServerCredentials are [ControlPlane.ClientCredentials] at the server's end.
func (*ControlPlane) ServerCredentials(
	fallback credentials.TransportCredentials,
) (credentials.TransportCredentials, error) {
	if fallback == nil {
		return nil, errors.New("xds: ServerCredentials: there is nothing to fall back to; pass credentials")
	}
	return xdscredentials.NewServerCredentials(xdscredentials.ServerOptions{FallbackCreds: fallback})
}

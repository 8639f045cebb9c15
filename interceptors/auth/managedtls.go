package auth

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"google.golang.org/grpc/credentials"

	"github.com/parley-rpc/parley/internal/wire"
)

// ManagedTLS makes transport credentials whose TLS another component manages, such as an xDS control plane. They get
// every connection first. A connection without a TLS configuration is passed, unchanged, to fallback, which is Parley's
// own handling. What they secure must be TLS 1.3 with the ALPN name h2, and their AuthInfo a [credentials.TLSInfo].
type ManagedTLS func(fallback credentials.TransportCredentials) (credentials.TransportCredentials, error)

// credentials returns what m makes, nil without any.
func (m ManagedTLS) credentials() (credentials.TransportCredentials, error) {
	if m == nil {
		return nil, nil //nolint:nilnil // nothing manages the connections
	}
	c, err := m(untouched{})
	if err == nil && c == nil {
		err = errors.New("it made no credentials; return some, or an error")
	}
	if err != nil {
		return nil, fmt.Errorf("auth: managed TLS: %w", err)
	}
	return c, nil
}

// untouched are credentials that leave a connection as it is: what managed credentials fall back to.
type untouched struct{}

// AuthType is never seen by gRPC.
func (untouched) AuthType() string { return "untouched" }

func (u untouched) ClientHandshake(_ context.Context, _ string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return raw, u, nil
}

func (u untouched) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return raw, u, nil
}

func (untouched) Info() credentials.ProtocolInfo            { return protocolInfo("") }
func (u untouched) Clone() credentials.TransportCredentials { return u }
func (untouched) OverrideServerName(string) error           { return nil }

// secured is a connection as managed credentials return it: with TLS, or with a nil state, untouched.
type secured struct {
	conn  net.Conn
	state *tls.ConnectionState
}

// securedBy checks what managed credentials return.
func securedBy(conn net.Conn, info credentials.AuthInfo, err error) (secured, error) {
	if err != nil {
		return secured{}, err
	}
	switch info := info.(type) {
	case untouched:
		return secured{conn: conn}, nil
	case credentials.TLSInfo:
		return secured{conn, &info.State}, wire.CheckSession(&info.State, wire.ALPNHTTP2)
	default:
		return secured{}, fmt.Errorf("auth: managed TLS: the connection was secured by a %T, which is not TLS", info)
	}
}

func protocolInfo(serverName string) credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls", ServerName: serverName} //nolint:staticcheck // gRPC still goes by it
}

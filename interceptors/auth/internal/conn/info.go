package conn

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"

	"google.golang.org/grpc/credentials"

	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/principal"
)

// ErrAuthority is the error of a call that names another authority.
var ErrAuthority = errors.New(
	"auth: a call may only name the authority of its connection or the service that the server proved to be",
)

// Info is the credentials.AuthInfo of a connection in connection mode.
type Info struct {
	credentials.CommonAuthInfo
	Session    *Session
	serverName string
}

// NewInfo returns the information of a session. ServerName is the name that a client connected to.
func NewInfo(s *Session, serverName string) *Info {
	return &Info{
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
		Session:        s,
		serverName:     serverName,
	}
}

// ProvenPeer returns the workload at the other end, for principal.PeerOf.
func (i *Info) ProvenPeer() principal.Peer { return i.Session.Peer }

// AuthType names connection mode.
func (*Info) AuthType() string { return wire.ALPN }

// ValidateAuthority decides on grpc.CallAuthority: a call may name the authority that the connection was made for, or
// the service that the server proved to be.
func (i *Info) ValidateAuthority(authority string) error {
	if host := HostOf(authority); host == i.serverName || host == i.Session.Peer.ID.Service() {
		return nil
	}
	return ErrAuthority
}

// HostOf is the authority without its port.
func HostOf(authority string) string {
	if host, _, err := net.SplitHostPort(authority); err == nil {
		return host
	}
	return authority
}

// PlainInfo is the credentials.AuthInfo of a connection of plain HTTP/2, as its server sees it: nothing is proven by
// it.
type PlainInfo struct {
	credentials.TLSInfo
	// Known gives the connection's place among those of strangers back. It may be called more than once.
	Known func()
}

// NewPlainInfo returns the information of a stranger's connection.
func NewPlainInfo(state *tls.ConnectionState, v *Visitor) *PlainInfo {
	return &PlainInfo{
		TLSInfo: credentials.TLSInfo{
			State:          *state,
			CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
		},
		Known: sync.OnceFunc(func() { _ = v.Release() }),
	}
}

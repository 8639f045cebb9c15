package auth

import (
	"google.golang.org/grpc/credentials"

	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/principal"
)

// connectionInfo is the credentials.AuthInfo of a connection in connection mode.
type connectionInfo struct {
	credentials.CommonAuthInfo
	link       *link
	serverName string
}

func newConnectionInfo(l *link, serverName string) *connectionInfo {
	return &connectionInfo{
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
		link:           l,
		serverName:     serverName,
	}
}

// ProvenPeer returns the workload at the other end, for principal.PeerOf.
func (c *connectionInfo) ProvenPeer() principal.Peer { return c.link.peer }

// AuthType names connection mode.
func (*connectionInfo) AuthType() string { return wire.ALPN }

// ValidateAuthority decides on grpc.CallAuthority: a call may name the authority that the connection was made for, or the
// service that the server proved to be.
func (c *connectionInfo) ValidateAuthority(authority string) error {
	if host := hostOf(authority); host == c.serverName || host == c.link.peer.ID.Service() {
		return nil
	}
	return errAuthority
}

package auth

import (
	"context"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/parley-rpc/parley/policy"
)

// Peer is the workload at the other end, as it was proven.
type Peer struct {
	// ID is who it is.
	ID ID
	// Carrier is how it was proven: policy.CarrierConnection or policy.CarrierToken.
	Carrier policy.Carrier
	// KeyID is the RFC 7638 thumbprint of the key that proved it.
	KeyID string
	// Expires is when the proof ends: the token's exp, or the end of the connection. It is wall time.
	Expires time.Time
	// Scopes are the scopes of a bearer token; a connection carries none. They must not be changed.
	Scopes []string
	// Audiences are those for whom the caller made its credential, or had it made: the aud of its token, and the server's own
	// ID in connection mode. They must not be changed.
	Audiences []string
	// Claims are those of a bearer token; a connection has none.
	Claims Claims
}

type peerKey struct{}

// PeerFromContext returns the proven caller of the RPC that a handler or an interceptor of a [Gate] runs for. It reports
// false when the caller has proven nothing, which only an anonymous method allows.
func PeerFromContext(ctx context.Context) (Peer, bool) {
	if p, ok := ctx.Value(peerKey{}).(*Peer); ok {
		return *p, true
	}
	if p, ok := peer.FromContext(ctx); ok {
		return PeerOf(p)
	}
	return Peer{}, false
}

// ContextWithPeer returns a context in which [PeerFromContext] finds p, for tests of handlers.
func ContextWithPeer(ctx context.Context, p Peer) context.Context {
	return context.WithValue(ctx, peerKey{}, &p)
}

// PeerOf returns the workload that was proven when the connection of p was made: the caller on a server, and on a client
// the server that answered a call made with the option grpc.Peer. It reports false for connections that are not in
// connection mode.
func PeerOf(p *peer.Peer) (Peer, bool) {
	info, ok := p.AuthInfo.(*connectionInfo)
	if !ok {
		return Peer{}, false
	}
	return info.link.peer, true
}

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

// AuthType names connection mode.
func (*connectionInfo) AuthType() string { return protocol }

// ValidateAuthority decides on grpc.CallAuthority: a call may name the authority that the connection was made for, or the
// service that the server proved to be.
func (c *connectionInfo) ValidateAuthority(authority string) error {
	if host := hostOf(authority); host == c.serverName || host == c.link.peer.ID.Service() {
		return nil
	}
	return errAuthority
}

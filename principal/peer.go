package principal

import (
	"context"
	"time"

	"google.golang.org/grpc/peer"

	"github.com/parley-rpc/parley/internal/contextkey"
)

// Peer is the proven workload at the other end.
type Peer struct {
	// ID is who it is.
	ID ID
	// Carrier is how it was proven: [CarrierConnection] or [CarrierToken].
	Carrier Carrier
	// KeyID is the RFC 7638 thumbprint of the key that proved it.
	KeyID string
	// Expires is when the proof ends: the token's exp, or the end of the connection. It is wall time.
	Expires time.Time
	// Scopes are the scopes of a bearer token; a connection carries none. They must not be changed.
	Scopes []string
	// Audiences are the audiences of the caller's credential: the aud of its token, or the server's own ID in connection
	// mode. They must not be modified.
	Audiences []string
	// Claims are the claims of a bearer token. A connection has none.
	Claims Claims
}

// PeerFromContext returns the proven caller of the RPC that a handler, or an interceptor behind authentication, runs
// for. It reports false when the caller has proven nothing, which only an anonymous method allows.
func PeerFromContext(ctx context.Context) (Peer, bool) {
	if p, ok := ctx.Value(contextkey.Peer{}).(*Peer); ok {
		return *p, true
	}
	if p, ok := peer.FromContext(ctx); ok {
		return PeerOf(p)
	}
	return Peer{}, false
}

// ContextWithPeer returns a context in which [PeerFromContext] finds p, for tests of handlers.
func ContextWithPeer(ctx context.Context, p Peer) context.Context {
	return context.WithValue(ctx, contextkey.Peer{}, &p)
}

// PeerOf returns the workload that was proven when the connection of p was made: the caller on a server, and on a
// client the server that answered a call made with the option grpc.Peer. It reports false for connections that are not
// in connection mode.
func PeerOf(p *peer.Peer) (Peer, bool) {
	if info, ok := p.AuthInfo.(provenConnection); ok {
		return info.ProvenPeer(), true
	}
	return Peer{}, false
}

// provenConnection is the credentials.AuthInfo of a connection that proves its other end. The credentials of
// interceptors/auth make it, and the program chooses the credentials; the other end has no influence on it.
type provenConnection interface{ ProvenPeer() Peer }

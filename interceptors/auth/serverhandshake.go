package auth

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"google.golang.org/grpc/credentials"

	"github.com/parley-rpc/parley/interceptors/auth/internal/conn"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/rpcerr"
)

// serverCredentials are the transport credentials of a gate.
type serverCredentials struct{ gate *Gate }

// ServerHandshake proves this server, then the client. A connection that speaks plain HTTP/2, where that is switched
// on, is returned with nothing proven.
func (s *serverCredentials) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	g := s.gate
	remote := raw.RemoteAddr().String()
	place, err := g.waiting.Enter(raw)
	if err != nil {
		_ = raw.Close()
		return nil, nil, err
	}
	client, c, info, err := g.handshake(raw, place)
	if err != nil {
		_ = raw.Close()
		if evicted := place.Release(); evicted != nil {
			err = evicted
		}
		g.identity.auditRefusal(context.Background(), wire.RoleServer, remote, client, err)
		if refusal := refusalOf(err); refusal != nil {
			err = &handshakeError{refusal}
		} else if errors.Is(err, io.EOF) {
			err = io.EOF // gRPC wants it bare, to keep quiet about probes that only connect
		}
		return nil, nil, err
	}
	if s := c.Session(); s != nil {
		g.identity.auditHandshake(context.Background(), s, remote)
	}
	return c, info, nil
}

// ClientHandshake fails: these are the credentials of a server.
func (s *serverCredentials) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errWrongEnd
}

// Info names TLS.
func (s *serverCredentials) Info() credentials.ProtocolInfo { return protocolInfo("") }

// Clone returns credentials of the same gate.
func (s *serverCredentials) Clone() credentials.TransportCredentials {
	return &serverCredentials{s.gate}
}

// OverrideServerName does nothing; a server has no such name.
func (s *serverCredentials) OverrideServerName(string) error { return nil }

// handshake runs the server's side of the protocol over raw, in at most handshakeTimeout. The caller closes raw after
// an error, and the connection that it returns gives the place back.
func (g *Gate) handshake(raw net.Conn, place *conn.Visitor) (verify.Proven, *conn.Conn, credentials.AuthInfo, error) {
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
	defer cancel()
	keys, config, err := g.prepare(ctx)
	if err != nil {
		return verify.Proven{}, nil, nil, refuse(rpcerr.ConfigurationInvalid, err)
	}
	// gRPC takes this deadline away when it has read the HTTP/2 preface.
	if err := raw.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return verify.Proven{}, nil, nil, fmt.Errorf("auth: deadline of the handshake: %w", err)
	}
	if g.managed != nil {
		s, err := securedBy(g.managed.ServerHandshake(raw))
		if err != nil {
			return verify.Proven{}, nil, nil, err
		}
		if s.state != nil {
			return g.admitPlain(s.conn, s.state, place)
		}
	}
	start := &opening{Conn: raw}
	secure := tls.Server(start, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		start.answer()
		return verify.Proven{}, nil, nil, err
	}
	state := secure.ConnectionState()
	if g.config.bearer && wire.CheckSession(&state, wire.ALPNHTTP2) == nil {
		return g.admitPlain(secure, &state, place)
	}
	bound, err := wire.Bind(secure, wire.ALPN)
	if err != nil {
		if g.config.bearer && state.NegotiatedProtocol == "" {
			answerHTTP1(secure, "505 HTTP Version Not Supported", needsHTTP2)
		}
		return verify.Proven{}, nil, nil, refuse(rpcerr.CredentialsInvalid, err)
	}
	client, l, err := g.greet(ctx, keys, secure, bound)
	if err != nil {
		return client, nil, nil, err
	}
	return client, conn.New(secure, l, wire.RoleServer, func() { _ = place.Release() }), conn.NewInfo(l, ""), nil
}

// admitPlain takes a connection of plain HTTP/2, on which nothing is proven yet. It keeps its place among those of
// strangers until a call on it is authenticated, or it is closed.
func (*Gate) admitPlain(secure net.Conn, state *tls.ConnectionState, place *conn.Visitor) (verify.Proven, *conn.Conn, credentials.AuthInfo, error) {
	return verify.Proven{}, conn.NewStranger(secure, place), conn.NewPlainInfo(state, place), nil
}

// greet exchanges the frames. It speaks first, and last.
func (g *Gate) greet(
	ctx context.Context, keys *ownCredentials, secure *tls.Conn, bound wire.Bindings,
) (verify.Proven, *conn.Session, error) {
	serverHello, err := keys.hello(ctx, g.identity.self, wire.Proof{Type: jose.TypeServerProof, Binding: bound.Server}, g.turn)
	if err != nil {
		return verify.Proven{}, nil, err
	}
	if err := wire.WriteFrame(secure, wire.FrameServerHello, serverHello); err != nil {
		return verify.Proven{}, nil, err
	}
	var l *conn.Session
	client, err := g.listen(ctx, keys, secure, wire.Proof{
		Type: jose.TypeClientProof, Binding: bound.Client, Audience: g.identity.self, HelloHash: wire.HashOf(serverHello),
	})
	if err == nil {
		if l, err = g.identity.beginConnection(keys, wire.RoleServer, client, secure.NetConn()); err != nil {
			err = verify.CallerRefusal(err)
		}
	}
	said := wire.VerdictWelcome
	if err != nil {
		refusal := refusalOf(err)
		if refusal == nil {
			return client, nil, err
		}
		said = wire.VerdictFor(refusal.Reason)
	}
	// A refused client may be gone already; that it was refused matters more.
	if wrong := wire.WriteFrame(secure, wire.FrameVerdict, []byte{byte(said)}); wrong != nil && err == nil {
		l.Release()
		return client, nil, wrong
	}
	return client, l, err
}

// listen reads the client's hello and checks it.
func (g *Gate) listen(
	ctx context.Context, keys *ownCredentials, conn io.Reader, want wire.Proof,
) (verify.Proven, error) {
	clientHello, err := wire.ReadFrame(conn, wire.FrameClientHello)
	if err != nil {
		return verify.Proven{}, frameRefusal(err, rpcerr.CredentialsInvalid)
	}
	client, err := verify.Hello(ctx, keys.trust, clientHello, want, g.turn)
	if err != nil {
		return client, verify.CallerRefusal(err)
	}
	if !g.identity.accepts(client.ID.TrustDomain()) {
		return client, refuse(rpcerr.CredentialsInvalid, errors.New("its trust domain is not accepted"))
	}
	return client, nil
}

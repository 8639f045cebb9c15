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
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// clientCredentials are the transport credentials of a channel.
type clientCredentials struct {
	channel    *Channel
	serverName string // overrides the authority
}

// ClientHandshake proves the server, then this client. Its error is matched by a reason of package rpcerr when a side
// was refused.
func (c *clientCredentials) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	serverName := c.serverName
	if serverName == "" {
		serverName = c.channel.config.serverName
	}
	if serverName == "" {
		serverName = conn.HostOf(authority)
	}
	remote := raw.RemoteAddr().String()
	proved, made, info, err := c.channel.handshake(ctx, serverName, raw)
	c.channel.record(remote, err)
	if err != nil {
		_ = raw.Close()
		c.channel.identity.auditRefusal(ctx, wire.RoleClient, remote, proved, err)
		if refusal := refusalOf(err); refusal != nil {
			err = &handshakeError{refusal}
		}
		return nil, nil, err
	}
	if s := made.Session(); s != nil {
		c.channel.identity.auditHandshake(ctx, s, remote)
	}
	return made, info, nil
}

// ServerHandshake fails: these are the credentials of a client.
func (c *clientCredentials) ServerHandshake(net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errWrongEnd
}

// Info reports to gRPC that TLS secures the connection, which sets the :scheme of every call.
func (c *clientCredentials) Info() credentials.ProtocolInfo { return protocolInfo(c.serverName) }

// Clone returns credentials of the same channel.
func (c *clientCredentials) Clone() credentials.TransportCredentials {
	clone := *c
	return &clone
}

// OverrideServerName sets the name that is sent in the TLS handshake. It plays no part in the proof.
func (c *clientCredentials) OverrideServerName(name string) error {
	c.serverName = name
	return nil
}

// UsesXDS reports to the xDS balancers whether these credentials use the TLS configuration of a control plane.
func (c *clientCredentials) UsesXDS() bool {
	asked, ok := c.channel.managed.(interface{ UsesXDS() bool })
	return ok && asked.UsesXDS()
}

// handshake runs the client's side of the protocol over raw, in at most handshakeTimeout. The caller closes raw after
// an error.
func (c *Channel) handshake(ctx context.Context, serverName string, raw net.Conn) (verify.Proven, *conn.Conn, credentials.AuthInfo, error) {
	if c.configErr != nil {
		return verify.Proven{}, nil, nil, refuse(rpcerr.ConfigurationInvalid, c.configErr)
	}
	keys, err := c.identity.usable(ctx)
	if err != nil {
		return verify.Proven{}, nil, nil, refuse(rpcerr.ConfigurationInvalid, err)
	}
	config, err := c.clientTLS(serverName)
	if err != nil {
		return verify.Proven{}, nil, nil, refuse(rpcerr.ConfigurationInvalid, err)
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = raw.Close() })()
	met, err := c.meet(ctx, keys, config, serverName, raw)
	if err != nil {
		if ctx.Err() != nil && broken(err) {
			err = ctx.Err()
		}
		return met.server, nil, nil, err
	}
	var info credentials.AuthInfo
	var l *conn.Session
	if met.state != nil {
		info = c.newNameInfo(met.state)
	} else {
		if l, err = c.identity.beginConnection(keys, wire.RoleClient, met.server, raw); err != nil {
			return met.server, nil, nil, verify.ServerRefusal(err)
		}
		info = conn.NewInfo(l, serverName)
	}
	made := conn.New(met.conn, l, wire.RoleClient, func() { _ = raw.SetDeadline(time.Time{}) })
	// The time that is left is for the server to speak HTTP/2.
	deadline, _ := ctx.Deadline()
	if err := raw.SetDeadline(deadline); err != nil {
		if l != nil {
			l.Release()
		}
		return met.server, nil, nil, fmt.Errorf("auth: deadline of the handshake: %w", err)
	}
	return met.server, made, info, nil
}

// encounter is a server that was met: proven, or reached over plain HTTP/2 behind its verified TLS name.
type encounter struct {
	conn   net.Conn
	server verify.Proven
	state  *tls.ConnectionState // of plain HTTP/2, nil in connection mode
}

// meet sets TLS up and, in connection mode, exchanges the frames.
func (c *Channel) meet(
	ctx context.Context, keys *ownCredentials, config *tls.Config, serverName string, raw net.Conn,
) (met encounter, err error) {
	if c.managed != nil {
		s, err := c.meetManaged(ctx, serverName, raw)
		if err != nil || s.state != nil {
			return encounter{conn: s.conn, state: s.state}, err
		}
	}
	secure := tls.Client(conn.Wakeable{Conn: raw}, config)
	met.conn = secure
	if err := secure.HandshakeContext(ctx); err != nil {
		if broken(err) {
			return met, err
		}
		if _, named := errors.AsType[*tls.CertificateVerificationError](err); named {
			return met, refuse(rpcerr.ServerProofInvalid, err)
		}
		return met, refuse(rpcerr.ServerProofMissing, err)
	}
	if state := secure.ConnectionState(); c.config.mode != ModeRequire && state.NegotiatedProtocol == wire.ALPNHTTP2 {
		met.state = &state
		return met, nil
	}
	bound, err := wire.Bind(secure, wire.ALPN)
	if err != nil {
		return met, refuse(rpcerr.ServerProofMissing, err)
	}
	met.server, err = c.greet(ctx, keys, secure, bound)
	return met, err
}

// greet exchanges the frames. It sends nothing before the server has proven one of the expected IDs.
func (c *Channel) greet(
	ctx context.Context, keys *ownCredentials, conn io.ReadWriter, bound wire.Bindings,
) (verify.Proven, error) {
	serverHello, err := wire.ReadFrame(conn, wire.FrameServerHello)
	if err != nil {
		return verify.Proven{}, frameRefusal(err, rpcerr.ServerProofMissing)
	}
	server, err := verify.Hello(ctx, keys.trust, serverHello, wire.Proof{Type: jose.TypeServerProof, Binding: bound.Server}, nil)
	if err != nil {
		return server, verify.ServerRefusal(err)
	}
	if !principal.MatchesAny(c.expected, server.ID) {
		return server, mismatch(c.expected, nil)
	}

	clientHello, err := keys.hello(ctx, c.identity.self, wire.Proof{
		Type: jose.TypeClientProof, Binding: bound.Client, Audience: server.ID, HelloHash: wire.HashOf(serverHello),
	}, nil)
	switch {
	case errors.Is(err, errOwnTokenExpired):
		return server, refuse(rpcerr.TokenSourceUnavailable, err)
	case err != nil:
		return server, refuse(rpcerr.ConfigurationInvalid, err)
	}
	if err := wire.WriteFrame(conn, wire.FrameClientHello, clientHello); err != nil {
		return server, err
	}
	said, err := wire.ReadFrame(conn, wire.FrameVerdict)
	if err != nil {
		return server, frameRefusal(err, rpcerr.CredentialsInvalid)
	}
	if len(said) != 1 {
		return server, refuse(rpcerr.CredentialsInvalid, fmt.Errorf("%w: a verdict of %d bytes", wire.ErrFrame, len(said)))
	}
	if refusal := wire.Verdict(said[0]).Refusal(); refusal != nil {
		return server, refusal
	}
	return server, nil
}

// frameRefusal keeps errors of the connection as they are and gives the reason to everything else.
func frameRefusal(err error, reason rpcerr.Reason) error {
	if broken(err) {
		return err
	}
	return refuse(reason, err)
}

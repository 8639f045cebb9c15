package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"google.golang.org/grpc/credentials"

	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// ManagedTLS makes transport credentials whose TLS somebody else manages, such as a control plane of xDS. They are asked for
// every connection first. Where nothing is said about a connection they hand it, untouched, to fallback, which stands for
// what Parley does itself. What they secure must be TLS 1.3 with the ALPN name h2, and their AuthInfo a
// [credentials.TLSInfo].
type ManagedTLS func(fallback credentials.TransportCredentials) (credentials.TransportCredentials, error)

// WithManagedTLS leaves the TLS of a channel in token mode to m where that has something to say. Whoever manages it decides
// which authorities vouch for the server. The name stays the channel's: the certificate must carry the name of
// [WithServerName], which may be a SPIFFE ID here, or the host of the target, or an expected ID.
func WithManagedTLS(m ManagedTLS) ChannelOption {
	return channelOption{"auth.WithManagedTLS", func(c *channelConfig) { c.managed = m }}
}

// WithManagedServerTLS leaves the TLS of a server to m where that has something to say. On such a connection callers prove
// themselves by bearer tokens, so it needs [WithBearer], whose source of certificates may then be nil: connections about
// which nothing is said are those of connection mode alone.
func WithManagedServerTLS(m ManagedTLS) ServerOption {
	return serverOption{"auth.WithManagedServerTLS", func(c *serverConfig) { c.managed = m }}
}

// credentials returns what m makes, nil without any.
func (m ManagedTLS) credentials() (credentials.TransportCredentials, error) {
	if m == nil {
		return nil, nil //nolint:nilnil // nothing manages the connections
	}
	c, err := m(untouched{})
	if err == nil && c == nil {
		err = errors.New("it made no credentials")
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

// meetManaged lets whoever manages the TLS of the channel secure the connection. A refusal is that of the server's name; other
// errors may pass by themselves.
func (c *Channel) meetManaged(ctx context.Context, serverName string, raw net.Conn) (secured, error) {
	s, err := securedBy(c.managed.ClientHandshake(ctx, serverName, raw))
	if err != nil {
		if unnamed(err) {
			err = refuse(rpcerr.ServerProofInvalid, err)
		}
		return s, err
	}
	if s.state == nil {
		return s, nil
	}
	if err := c.checkManagedName(s.state, serverName); err != nil {
		return s, refuse(rpcerr.ServerProofInvalid, err)
	}
	return s, nil
}

// unnamed tells whether nobody vouches for a certificate.
func unnamed(err error) bool {
	_, verification := errors.AsType[*tls.CertificateVerificationError](err)
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	return verification || unknown || invalid
}

// checkManagedName compares the certificate, whose chain was verified, with whom the channel calls.
func (c *Channel) checkManagedName(state *tls.ConnectionState, serverName string) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the server has no certificate")
	}
	leaf := state.PeerCertificates[0]
	if !strings.HasPrefix(serverName, principal.Scheme) && leaf.VerifyHostname(serverName) == nil {
		return nil
	}
	ids := make([]string, len(leaf.URIs))
	for i, uri := range leaf.URIs {
		ids[i] = uri.String()
	}
	if slices.Contains(ids, serverName) || slices.Contains(ids, c.audience.String()) {
		return nil
	}
	return fmt.Errorf("the certificate is that of %q and %q, neither %s nor %s", leaf.DNSNames, ids, serverName, c.audience)
}

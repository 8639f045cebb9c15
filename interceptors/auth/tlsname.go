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

var errNoName = errors.New("auth: there is no server name to verify; name the host in the target, or use WithServerName")

// nameInfo is the credentials.AuthInfo of a connection of plain HTTP/2 whose server has proven its TLS name, and
// nothing more, to the channel.
type nameInfo struct {
	credentials.TLSInfo
	channel *Channel
}

func (c *Channel) newNameInfo(state *tls.ConnectionState) *nameInfo {
	return &nameInfo{
		TLSInfo: credentials.TLSInfo{
			State:          *state,
			CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
		},
		channel: c,
	}
}

// clientTLS is the client's end of TLS for what the channel's mode offers. Where plain HTTP/2 is agreed, chain and name
// are verified within the handshake, so that a server without them learns nothing.
func (c *Channel) clientTLS(serverName string) (*tls.Config, error) {
	config := wire.ClientTLS(serverName)
	if c.config.mode == ModeRequire {
		return config, nil
	}
	if serverName == "" {
		return nil, errNoName
	}
	if c.config.mode == ModeToken {
		config.NextProtos = []string{wire.ALPNHTTP2}
	} else {
		config.NextProtos = []string{wire.ALPN, wire.ALPNHTTP2}
	}
	// InsecureSkipVerify leaves to this function what crypto/tls would do; it runs in every handshake.
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if c.config.mode == ModePrefer && state.NegotiatedProtocol == wire.ALPN {
			return nil // the proof that is bound to the connection follows
		}
		return verifyName(&state, serverName, c.config.roots)
	}
	return config, nil
}

// verifyName does what crypto/tls does by default. Nil roots are those of the system.
func verifyName(state *tls.ConnectionState, name string, roots *x509.CertPool) error {
	if err := wire.CheckSession(state, wire.ALPNHTTP2); err != nil {
		return err
	}
	if len(state.PeerCertificates) == 0 {
		return errors.New("the server has no certificate")
	}
	intermediates := x509.NewCertPool()
	for _, certificate := range state.PeerCertificates[1:] {
		intermediates.AddCert(certificate)
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: name, Roots: roots, Intermediates: intermediates})
	if err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
	}
	return nil
}

// meetManaged lets whoever manages the TLS of the channel secure the connection. A refusal is that of the server's
// name; other errors may pass by themselves.
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

// unnamed reports whether nobody vouches for a certificate.
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

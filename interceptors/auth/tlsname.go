package auth

import (
	"crypto/tls"
	"crypto/x509"
	"errors"

	"google.golang.org/grpc/credentials"

	"github.com/parley-rpc/parley/internal/wire"
)

var errNoName = errors.New("auth: there is no server name to verify; name the host in the target, or use WithServerName")

// nameInfo is the credentials.AuthInfo of a connection of plain HTTP/2 whose server has proven its TLS name, and nothing
// more, to the channel.
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

// clientTLS is the client's end of TLS for what the channel's mode offers. Where plain HTTP/2 is agreed, chain and name are
// verified within the handshake, so that a server without them learns nothing.
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

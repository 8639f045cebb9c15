package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"time"
)

const (
	// protocol is the ALPN name of connection mode. It carries the version of the handshake.
	protocol = "parley/1"
	// protocolHTTP2 is the ALPN name of plain HTTP/2, over which callers bring bearer tokens.
	protocolHTTP2 = "h2"

	exporterLabel = "EXPERIMENTAL-parley-connection-v1"
	exporterBytes = 32
	roleServer    = "server"
	roleClient    = "client"
)

// bindings are what the proofs of the two roles must contain to be good for one TLS connection alone: keying material that
// TLS exports (RFC 9266), with the role in its context so that neither proof can stand in for the other.
type bindings struct{ server, client string }

// bind returns the bindings of a connection on which the protocol named alpn was agreed.
func bind(conn *tls.Conn, alpn string) (b bindings, err error) {
	state := conn.ConnectionState()
	if err := checkSession(&state, alpn); err != nil {
		return bindings{}, err
	}
	if b.server, err = export(&state, roleServer); err != nil {
		return bindings{}, err
	}
	b.client, err = export(&state, roleClient)
	return b, err
}

func export(state *tls.ConnectionState, role string) (string, error) {
	cb, err := state.ExportKeyingMaterial(exporterLabel, []byte(role), exporterBytes)
	if err != nil {
		return "", fmt.Errorf("auth: TLS exporter: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(cb), nil
}

func hashOf(body []byte) string {
	sum := sha256.Sum256(body)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// checkSession is what both ends demand of the TLS connection before they believe in its exporter.
func checkSession(state *tls.ConnectionState, alpn string) error {
	switch {
	case state.Version != tls.VersionTLS13:
		return errors.New("the connection is not TLS 1.3")
	case state.NegotiatedProtocol != alpn:
		return errors.New("ALPN " + alpn + " was not agreed")
	case state.DidResume:
		return errors.New("the TLS session was resumed")
	}
	return nil
}

// clientTLS is the client's end of connection mode.
func clientTLS(serverName string) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             []string{protocol},
		ServerName:             serverName,
		InsecureSkipVerify:     true, //nolint:gosec // the certificate carries no identity; the proof that is bound to this connection does
		SessionTicketsDisabled: true,
	}
}

// serverTLS is the server's end, for one ALPN name.
func serverTLS(alpn string) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             []string{alpn},
		SessionTicketsDisabled: true,
	}
}

// ephemeralCertificate makes a certificate that proves nothing, because TLS wants one. Its key never leaves the process.
func ephemeralCertificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("auth: key of the ephemeral certificate: %w", err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.AddDate(10, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("auth: ephemeral certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

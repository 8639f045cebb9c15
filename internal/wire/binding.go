package wire

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
)

const (
	// ALPN is the ALPN name of connection mode. It carries the version of the handshake.
	ALPN = "parley/1"
	// ALPNHTTP2 is the ALPN name of plain HTTP/2, over which callers bring bearer tokens.
	ALPNHTTP2 = "h2"

	exporterLabel = "EXPERIMENTAL-parley-connection-v1"
	exporterBytes = 32
)

// The roles of the two ends, as proofs name them.
const (
	RoleServer = "server"
	RoleClient = "client"
)

// Bindings are what the proofs of the two roles must contain to be good for one TLS connection alone: keying material
// that TLS exports (RFC 9266), with the role in its context so that neither proof can stand in for the other.
type Bindings struct{ Server, Client string }

// Bind returns the bindings of a connection on which the protocol named alpn was agreed.
func Bind(conn *tls.Conn, alpn string) (b Bindings, err error) {
	state := conn.ConnectionState()
	if err := CheckSession(&state, alpn); err != nil {
		return Bindings{}, err
	}
	if b.Server, err = export(&state, RoleServer); err != nil {
		return Bindings{}, err
	}
	b.Client, err = export(&state, RoleClient)
	return b, err
}

func export(state *tls.ConnectionState, role string) (string, error) {
	cb, err := state.ExportKeyingMaterial(exporterLabel, []byte(role), exporterBytes)
	if err != nil {
		return "", fmt.Errorf("auth: TLS exporter: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(cb), nil
}

// CheckSession is what both ends demand of the TLS connection before they believe in its exporter.
func CheckSession(state *tls.ConnectionState, alpn string) error {
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

package auth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"io"
	"math/big"
	"strconv"
	"testing"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
)

// The evil peer speaks the handshake by hand and shares no code with the package, so that it can get every detail
// wrong.

const (
	alpn          = "parley/1"
	serverHello   = 1
	clientHello   = 2
	verdictFrame  = 3
	exporterLabel = "EXPERIMENTAL-parley-connection-v1"
)

// claims are those of a proof or a token; a nil value takes a claim out, and one of type in or inHalf is a time.
type claims map[string]any

// in is a time seen from the moment of signing.
type in time.Duration

// inHalf is in, and half a second.
type inHalf time.Duration

func (c claims) with(other claims) claims {
	merged := claims{}
	for _, set := range []claims{c, other} {
		for name, value := range set {
			if merged[name] = value; value == nil {
				delete(merged, name)
			}
		}
	}
	return merged
}

func sign(t testing.TB, key *jose.PrivateKey, typ string, c claims) string {
	t.Helper()
	token, err := key.Sign(typ, []byte(c.text(t)))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// text is the JSON object, with every time as it is now.
func (c claims) text(t testing.TB) string {
	t.Helper()
	for name, value := range c {
		switch from := value.(type) {
		case in:
			c[name] = time.Now().Add(time.Duration(from)).Unix()
		case inHalf:
			c[name] = json.RawMessage(strconv.FormatInt(time.Now().Add(time.Duration(from)).Unix(), 10) + ".5")
		}
	}
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func frameOf(kind byte, body []byte) []byte {
	return append([]byte{kind, byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}, body...)
}

func helloBody(token, proof string) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(token)))
	b = append(b, token...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(proof)))
	return append(b, proof...)
}

func readFrame(r io.Reader) (kind byte, body []byte, err error) {
	header := make([]byte, 4)
	if _, err := io.ReadFull(r, header); err != nil {
		return 0, nil, err
	}
	body = make([]byte, int(header[1])<<16|int(header[2])<<8|int(header[3]))
	_, err = io.ReadFull(r, body)
	return header[0], body, err
}

func cbOf(t testing.TB, conn *tls.Conn, role string) string {
	t.Helper()
	state := conn.ConnectionState()
	cb, err := state.ExportKeyingMaterial(exporterLabel, []byte(role), 32)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(cb)
}

func hash(body []byte) string {
	sum := sha256.Sum256(body)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// serverClaims are those of an honest server's proof.
func serverClaims(t testing.TB, conn *tls.Conn, id string) claims {
	return claims{"iss": id, "sub": id, "cb": cbOf(t, conn, "server"), "iat": in(0), "exp": in(30 * time.Second)}
}

// clientClaims are those of an honest client's proof, in answer to the body of the server's hello.
func clientClaims(t testing.TB, conn *tls.Conn, id, server string, hello []byte) claims {
	return claims{
		"iss": id, "sub": id, "aud": server, "cb": cbOf(t, conn, "client"), "sph": hash(hello), "iat": in(0), "exp": in(30 * time.Second),
	}
}

func evilServerConfig(t testing.TB, protocols ...string) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{
		Certificates:           []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		NextProtos:             protocols,
		MinVersion:             tls.VersionTLS12,
		SessionTicketsDisabled: true,
	}
}

func evilClientConfig(protocols ...string) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, NextProtos: protocols, MinVersion: tls.VersionTLS12}
}

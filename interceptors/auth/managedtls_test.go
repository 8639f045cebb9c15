package auth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// meshCredentials secure connections as a mesh does: it verifies the chain of a server, and leaves its name to others.
// Without a certificate they have nothing to say.
type meshCredentials struct {
	credentials.TransportCredentials

	certificate *tls.Certificate
	roots       *x509.CertPool
	version     uint16
}

func (m *meshCredentials) ClientHandshake(ctx context.Context, name string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if m.certificate == nil {
		return m.TransportCredentials.ClientHandshake(ctx, name, raw)
	}
	conn := tls.Client(raw, &tls.Config{
		InsecureSkipVerify: true, MaxVersion: m.version, NextProtos: []string{"h2"}, SessionTicketsDisabled: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: m.roots})
			return err
		},
	})
	err := conn.HandshakeContext(ctx)
	return conn, credentials.TLSInfo{State: conn.ConnectionState()}, err
}

func (m *meshCredentials) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if m.certificate == nil {
		return m.TransportCredentials.ServerHandshake(raw)
	}
	conn := tls.Server(raw, &tls.Config{
		Certificates: []tls.Certificate{*m.certificate}, MaxVersion: m.version, NextProtos: []string{"h2"}, SessionTicketsDisabled: true,
	})
	err := conn.HandshakeContext(context.Background())
	return conn, credentials.TLSInfo{State: conn.ConnectionState()}, err
}

func (*meshCredentials) UsesXDS() bool { return true }

// mesh is what both ends are given. Its certificate is for names, of which those with a scheme are IDs.
func mesh(t testing.TB, names ...string) *meshCredentials {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	for _, name := range names {
		if !strings.Contains(name, "://") {
			template.DNSNames = append(template.DNSNames, name)
			continue
		}
		id, err := url.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		template.URIs = append(template.URIs, id)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	m := &meshCredentials{certificate: &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots: x509.NewCertPool()}
	m.roots.AddCert(leaf)
	return m
}

func (m *meshCredentials) manage(fallback credentials.TransportCredentials) (credentials.TransportCredentials, error) {
	m.TransportCredentials = fallback
	return m, nil
}

// managedCall is a call of payments by orders, where client and server have their TLS from somebody else.
func managedCall(t testing.TB, client, server *meshCredentials, name string) error {
	t.Helper()
	w := newWorld(t)
	w.enroll("orders", "payments")
	s := serve(t, payments{}, w.identity("payments").ServerOptions(nil, auth.WithBearer(nil), auth.WithManagedServerTLS(server.manage))...)
	options := []auth.ChannelOption{auth.WithMode(auth.ModeToken), auth.WithManagedTLS(client.manage)}
	if name != "" {
		options = append(options, auth.WithServerName(name))
	}
	c := w.identity("orders").Channel([]principal.Pattern{w.id("payments")}, options...)
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	return quote(t.Context(), dial(t, s.dialer, c.DialOptions()...))
}

// Who manages the TLS of a channel says which authorities count. Whom the channel calls is not theirs to say.
func TestManagedTLSNeedsAName(t *testing.T) {
	for name, tt := range map[string]struct {
		certificate []string
		serverName  string
		reason      rpcerr.Reason // empty where the call goes through
	}{
		"the host of the target":         {[]string{"payments"}, "", ""},
		"the expected ID":                {[]string{"spiffe://shop.example/payments"}, "", ""},
		"the stated name":                {[]string{"pay.example"}, "pay.example", ""},
		"the stated SPIFFE ID":           {[]string{"spiffe://mesh.example/ns/shop/sa/payments"}, "spiffe://mesh.example/ns/shop/sa/payments", ""},
		"another host":                   {[]string{"mallory"}, "", rpcerr.ServerProofInvalid},
		"another ID":                     {[]string{"spiffe://shop.example/mallory"}, "", rpcerr.ServerProofInvalid},
		"another ID than the stated one": {[]string{"spiffe://mesh.example/ns/shop/sa/mallory"}, "spiffe://mesh.example/ns/shop/sa/payments", rpcerr.ServerProofInvalid},
		"no name":                        {nil, "", rpcerr.ServerProofInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := mesh(t, tt.certificate...)
				other := *m
				err := managedCall(t, m, &other, tt.serverName)
				if tt.reason == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				refused(t, "a call", err, codes.Unauthenticated, tt.reason)
			})
		})
	}
}

func TestManagedTLSNeedsAKnownAuthority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused(t, "a call", managedCall(t, mesh(t, "payments"), mesh(t, "payments"), ""), codes.Unauthenticated, rpcerr.ServerProofInvalid)
	})
}

func TestManagedTLSNeedsTLS13(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := mesh(t, "payments")
		old.version = tls.VersionTLS12
		other := *old
		if err := managedCall(t, old, &other, ""); err == nil || !strings.Contains(err.Error(), "not TLS 1.3") {
			t.Errorf("TLS 1.2 ended with %v", err)
		}
	})
}

// Where nobody manages a connection it is made as ever, with the certificate of the server and the authorities of the
// channel; a server without a certificate of its own then serves connection mode alone.
func TestUnmanagedConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments")
		roots, certificate := w.certificate()
		silent := func(fallback credentials.TransportCredentials) (credentials.TransportCredentials, error) {
			return &meshCredentials{TransportCredentials: fallback}, nil
		}
		named := serve(t, payments{}, w.identity("payments").ServerOptions(nil, auth.WithBearer(certificate), auth.WithManagedServerTLS(silent))...)
		bare := serve(t, payments{}, w.identity("payments").ServerOptions(nil, auth.WithBearer(nil), auth.WithManagedServerTLS(silent))...)
		orders := w.identity("orders")
		token := orders.Channel([]principal.Pattern{w.id("payments")},
			auth.WithMode(auth.ModeToken), auth.WithRoots(roots), auth.WithServerName("localhost"), auth.WithManagedTLS(silent))
		connection := orders.Channel([]principal.Pattern{w.id("payments")})
		for what, err := range map[string]error{
			"token mode":                          quote(t.Context(), dial(t, named.dialer, token.DialOptions()...)),
			"connection mode":                     quote(t.Context(), dial(t, named.dialer, connection.DialOptions()...)),
			"connection mode without certificate": quote(t.Context(), dial(t, bare.dialer, connection.DialOptions()...)),
		} {
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		refused(t, "token mode without certificate", quote(t.Context(), dial(t, bare.dialer, token.DialOptions()...)), codes.Unauthenticated, rpcerr.ServerProofMissing)
	})
}

// Plaintext is not secured, whoever says so.
func TestManagedTLSIsTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments")
		plain := func(credentials.TransportCredentials) (credentials.TransportCredentials, error) {
			return insecure.NewCredentials(), nil
		}
		s := serve(t, payments{})
		c := w.identity("orders").Channel([]principal.Pattern{w.id("payments")}, auth.WithMode(auth.ModeToken), auth.WithManagedTLS(plain))
		if err := quote(t.Context(), dial(t, s.dialer, c.DialOptions()...)); err == nil || !strings.Contains(err.Error(), "which is not TLS") {
			t.Errorf("a call over plaintext ended with %v", err)
		}
	})
}

func TestManagedTLSMistakes(t *testing.T) {
	w := newWorld(t)
	w.enroll("orders", "payments")
	id, m := w.identity("orders"), mesh(t, "payments")
	expected := []principal.Pattern{w.id("payments")}
	fails := func(credentials.TransportCredentials) (credentials.TransportCredentials, error) {
		return nil, errors.New("no bootstrap")
	}
	for what, err := range map[string]error{
		"set WithMode(ModeToken)":           id.Channel(expected, auth.WithManagedTLS(m.manage)).Check(),
		"managed TLS: no bootstrap":         id.Channel(expected, auth.WithMode(auth.ModeToken), auth.WithManagedTLS(fails)).Check(),
		"accept bearer tokens on them":      id.Server(nil, auth.WithManagedServerTLS(m.manage)).Check(),
		"auth: managed TLS: no bootstrap":   id.Server(nil, auth.WithBearer(nil), auth.WithManagedServerTLS(fails)).Check(),
		"there is no source of certificate": id.Server(nil, auth.WithBearer(nil)).Check(),
	} {
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("got %v, want it to say %q", err, what)
		}
	}
}

// The balancers of xDS ask the credentials whether they take what the control plane says.
func TestManagedTLSIsKnownToXDS(t *testing.T) {
	w := newWorld(t)
	w.enroll("orders")
	id := w.identity("orders")
	for managed, c := range map[bool]*auth.Channel{
		false: id.Channel([]principal.Pattern{w.id("payments")}),
		true:  id.Channel([]principal.Pattern{w.id("payments")}, auth.WithMode(auth.ModeToken), auth.WithManagedTLS(mesh(t).manage)),
	} {
		asked, ok := c.TransportCredentials().(interface{ UsesXDS() bool })
		if !ok || asked.UsesXDS() != managed {
			t.Errorf("managed %v: UsesXDS is %v", managed, ok && asked.UsesXDS())
		}
	}
}

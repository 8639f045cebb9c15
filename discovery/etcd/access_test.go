package etcd_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/etcd"
)

// authority makes certificates for a test.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.cert, a.key = a.issue(
		t,
		"ca",
		&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign},
	)
	return a
}

// issue writes <name>.pem and <name>.key.
func (a *authority) issue(
	t *testing.T,
	name string,
	template *x509.Certificate,
) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	parent, signer := template, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for suffix, block := range map[string]*pem.Block{
		".pem": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: pkcs8},
	} {
		if err := os.WriteFile(a.path(name+suffix), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func (a *authority) path(file string) string { return filepath.Join(a.dir, file) }

// announce tries to announce an instance over the URL, and to find it.
func announce(t *testing.T, url string) error {
	t.Helper()
	d, err := etcd.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	in := driver.Instance{ID: "a", Service: "payments", Addresses: []string{"10.0.0.7:8443"}}
	lease, err := d.Announce(ctx, in, 5*time.Second)
	if err != nil {
		return err
	}
	found := make(chan []driver.Instance, 1)
	go func() { _ = d.Watch(ctx, "payments", func(list []driver.Instance) { found <- list }) }()
	select {
	case list := <-found:
		if len(list) != 1 || !list[0].Equal(in) {
			t.Errorf("listed are %+v", list)
		}
	case <-ctx.Done():
		t.Error("nothing is listed")
	}
	return lease.Revoke(ctx)
}

func TestTLSOfBothSides(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	for _, name := range []string{"server", "client"} {
		a.issue(t, name, new(x509.Certificate))
	}
	stranger.issue(t, "client", new(x509.Certificate))
	pair, err := tls.LoadX509KeyPair(a.path("client.pem"), a.path("client.key"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	e := newEngine(
		t,
		func(s *settings) { s.Cert, s.Key, s.CA = a.path("server.pem"), a.path("server.key"), a.path("ca.pem") },
	)
	e.config.TLS = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, Certificates: []tls.Certificate{pair}}

	base := "etcd://" + e.settings.Client + "/x"
	for _, tt := range []struct {
		name, query string
		ok          bool
	}{
		{
			"both trust each other",
			"?ca=" + a.path("ca.pem") + "&cert=" + a.path("client.pem") + "&key=" + a.path("client.key"), true,
		},
		{
			"a server of another authority",
			"?ca=" + stranger.path("ca.pem") + "&cert=" + a.path("client.pem") + "&key=" + a.path("client.key"), false,
		},
		{
			"a client of another authority",
			"?ca=" + a.path("ca.pem") + "&cert=" + stranger.path("client.pem") + "&key=" + stranger.path("client.key"), false,
		},
		{"a client without a certificate", "?ca=" + a.path("ca.pem"), false},
		{"plaintext", "", false},
	} {
		if err := announce(t, base+tt.query); tt.ok != (err == nil) {
			t.Errorf("%s: %v; want ok: %v", tt.name, err, tt.ok)
		}
	}
}

func TestUserAndPassword(t *testing.T) {
	e := newEngine(t)
	e.do(t, func(ctx context.Context, c *clientv3.Client) error {
		for _, do := range []func() error{
			func() error { _, err := c.RoleAdd(ctx, "root"); return err },
			func() error { _, err := c.UserAdd(ctx, "root", "secret-of-root"); return err },
			func() error { _, err := c.UserGrantRole(ctx, "root", "root"); return err },
			func() error { _, err := c.RoleAdd(ctx, "discovery"); return err },
			func() error {
				_, err := c.RoleGrantPermission(
					ctx, "discovery", "x/", clientv3.GetPrefixRangeEnd("x/"), clientv3.PermissionType(clientv3.PermReadWrite),
				)
				return err
			},
			func() error { _, err := c.UserAdd(ctx, "orders", "secret"); return err },
			func() error { _, err := c.UserGrantRole(ctx, "orders", "discovery"); return err },
			func() error { _, err := c.AuthEnable(ctx); return err },
		} {
			if err := do(); err != nil {
				return err
			}
		}
		return nil
	})
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good"), filepath.Join(dir, "bad")
	for path, text := range map[string]string{good: "secret\n", bad: "guess"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ name, rest, want string }{
		{"the right password", "/x?user=orders&password_file=" + good, ""},
		{"a wrong one", "/x?user=orders&password_file=" + bad, "authentication failed"},
		{"none", "/x", "user name is empty"},
		{"a prefix that is not the user's", "/y?user=orders&password_file=" + good, "permission denied"},
	} {
		err := announce(t, "etcd://"+e.settings.Client+tt.rest)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v; want %q", tt.name, err, tt.want)
		}
		if err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "guess")) {
			t.Errorf("%v shows a password", err)
		}
	}
}

// New does not block and does not need etcd. This also holds with a user, for which the client requests a token.
func TestEtcdIsNotNeededAtStart(t *testing.T) {
	addr, err := freeAddr()
	if err != nil {
		t.Fatal(err)
	}
	d, err := etcd.New(etcd.Config{Endpoints: []string{addr}, Username: "orders", Password: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := d.Watch(ctx, "payments", func([]driver.Instance) { t.Error("a list was emitted") }); err == nil {
		t.Error("Watch returned nil")
	}
}

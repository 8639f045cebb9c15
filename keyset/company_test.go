package keyset_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-rpc/parley/keyset"
)

// cluster is what stands inside of a company: the API server of a Kubernetes cluster, whose certificate is of a private
// authority, which shows its documents to those with a token alone, and to which a proxy leads.
type cluster struct {
	t      *testing.T
	dir    string
	keys   string
	tokens []string // that are good
	server *httptest.Server
	proxy  *httptest.Server

	mu          sync.Mutex
	certificate *tls.Certificate
	documents   map[string]string // by host and path
	asked       []string          // host, path and Authorization of each request
	led         []string          // what the proxy was asked for
}

const (
	inside  = "https://kubernetes.default.svc.cluster.local"
	outside = "https://api.shop.example:6443"
)

func newCluster(t *testing.T) *cluster {
	t.Helper()
	_, keys := key(t)
	c := &cluster{t: t, dir: t.TempDir(), keys: jwks(keys), tokens: []string{"token-1"}}
	c.documents = map[string]string{
		"kubernetes.default.svc.cluster.local/openid/v1/jwks": c.keys,
		"api.shop.example:6443/openid/v1/jwks":                c.keys,
	}
	c.discover(inside + "/openid/v1/jwks")
	c.server = httptest.NewUnstartedServer(http.HandlerFunc(c.serve))
	c.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	c.server.TLS = &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.certificate, nil
		},
	}
	c.server.StartTLS()
	c.certify("ca.crt")
	c.proxy = httptest.NewServer(http.HandlerFunc(c.lead))
	t.Cleanup(func() { c.proxy.Close(); c.server.Close() })
	c.write("token", "token-1\n")
	return c
}

func (c *cluster) discover(uri string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.documents["kubernetes.default.svc.cluster.local/.well-known/openid-configuration"] =
		"\xEF\xBB\xBF" + fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q,"subject_types_supported":["public"]}`, inside, uri)
}

// serve is the API server.
func (c *cluster) serve(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	c.asked = append(c.asked, strings.TrimSpace(r.Host+r.URL.Path+" "+token))
	text, found := c.documents[r.Host+r.URL.Path]
	switch {
	case !slices.Contains(c.tokens, token):
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"kind":"Status","reason":"SECRET"}`)
	case !found:
		w.WriteHeader(http.StatusNotFound)
	default:
		_, _ = io.WriteString(w, text)
	}
}

// lead is the proxy. All names lead to the one server.
func (c *cluster) lead(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.led = append(c.led, r.Method+" "+r.Host)
	c.mu.Unlock()
	server, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", c.server.Listener.Addr().String())
	if err != nil || r.Method != http.MethodConnect {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer func() { _ = server.Close() }()
	client, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		c.t.Error(err)
		return
	}
	defer func() { _ = client.Close() }()
	_, _ = io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n")
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(client, server)
		_ = client.Close()
	}()
	_, _ = io.Copy(server, client)
	_ = server.Close()
	<-done
}

// certify gives the server a certificate of a new authority, and writes that to a file.
func (c *cluster) certify(file string) {
	c.t.Helper()
	authority := certificate(c.t, nil)
	leaf := certificate(c.t, authority, "kubernetes.default.svc.cluster.local", "api.shop.example")
	c.mu.Lock()
	c.certificate = leaf
	c.mu.Unlock()
	c.write(file, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Certificate[0]})))
}

func (c *cluster) path(name string) string { return filepath.Join(c.dir, name) }

func (c *cluster) write(name, text string) {
	c.t.Helper()
	if err := os.WriteFile(c.path(name+".new"), []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	if err := os.Rename(c.path(name+".new"), c.path(name)); err != nil {
		c.t.Fatal(err)
	}
}

// options are how a pod fetches.
func (c *cluster) options(more ...keyset.Option) []keyset.Option {
	return append(more, keyset.WithCAFile(c.path("ca.crt")), keyset.WithProxy(c.proxy.URL))
}

func (c *cluster) requests() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	asked := c.asked
	c.asked = nil
	return asked
}

// certificate makes the certificate of an authority, or one that signer issues for hosts.
func certificate(t testing.TB, signer *tls.Certificate, hosts ...string) *tls.Certificate {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(
			time.Now().UnixNano(),
		), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: hosts, IsCA: signer == nil, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	parent, by := template, any(private)
	if signer != nil {
		by = signer.PrivateKey
		if parent, err = x509.ParseCertificate(signer.Certificate[0]); err != nil {
			t.Fatal(err)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &private.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}
}

// The API server of Kubernetes shows its keys to a pod with its CA file and its token, both of which are replaced now
// and then, through a proxy.
func TestFetchInsideACompany(t *testing.T) {
	c := newCluster(t)
	token := keyset.WithBearerTokenFile(c.path("token"))
	issued := func(context.Context) (string, error) { return "token-1", nil }
	for name, s := range map[string]*keyset.Set{
		"by its URL":     keyset.URL(inside+"/openid/v1/jwks", c.options(token)...),
		"by its issuer":  keyset.Provider(inside, c.options(token)...),
		"with an issued": keyset.URL(inside+"/openid/v1/jwks", c.options(keyset.WithBearerTokens(issued))...),
	} {
		if err := s.Load(t.Context()); err != nil || len(s.State().Keys) != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, asked := range c.requests() {
		if !strings.HasPrefix(asked, "kubernetes.default.svc.cluster.local/") || !strings.HasSuffix(asked, " token-1") {
			t.Errorf("asked %s", asked)
		}
	}
	if want := slices.Repeat([]string{"CONNECT kubernetes.default.svc.cluster.local:443"}, 4); !slices.Equal(c.led, want) {
		t.Errorf("the proxy was asked for %v", c.led)
	}
	s := keyset.URL(inside+"/openid/v1/jwks", c.options(token)...)
	load := func(says string) {
		t.Helper()
		err := s.Load(t.Context())
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("got %v, want %q", err, says)
		}
		if err != nil && (strings.Contains(err.Error(), "token-") || strings.Contains(err.Error(), "SECRET")) {
			t.Errorf("%v shows a secret", err)
		}
	}
	load("")
	c.mu.Lock()
	c.tokens = []string{"token-2"}
	c.mu.Unlock()
	load("HTTP status 403")
	c.write("token", "token-2\n")
	load("")
	c.certify("next.crt")
	load("x509")
	next, err := os.ReadFile(c.path("next.crt"))
	if err != nil {
		t.Fatal(err)
	}
	c.write("ca.crt", string(next))
	load("")
	c.write("ca.crt", "no certificate")
	load("no certificate in PEM form")
	c.write("ca.crt", string(next))
	if err := os.Chmod(c.path("ca.crt"), 0o666); err != nil {
		t.Fatal(err)
	}
	load("chmod go-w")
	c.write("ca.crt", string(next))
	c.write("token", "two words")
	load("has characters that no token has")
	c.write("token", "")
	load("it is empty")
	if err := os.Remove(c.path("token")); err != nil {
		t.Fatal(err)
	}
	load("token file " + c.path("token"))
	if len(s.State().Keys) != 1 {
		t.Error("the last good set is no longer in force")
	}
}

// A discovery document may say that the keys are on another host. That one never sees the token.
func TestBearerTokenStaysWithItsHost(t *testing.T) {
	c := newCluster(t)
	c.discover(outside + "/openid/v1/jwks")
	s := keyset.Provider(inside, c.options(keyset.WithBearerTokenFile(c.path("token")))...)
	err := s.Load(t.Context())
	if err == nil || !strings.Contains(err.Error(), "jwks_uri in its discovery document is on another") {
		t.Errorf("got %v", err)
	}
	if asked, want := c.requests(), []string{
		"kubernetes.default.svc.cluster.local/.well-known/openid-configuration token-1",
		"api.shop.example:6443/openid/v1/jwks",
	}; !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
	c.mu.Lock()
	c.tokens = append(c.tokens, "") // the other host shows them to everybody
	c.mu.Unlock()
	if err := s.Load(t.Context()); err != nil {
		t.Error(err)
	}
	// Another port is another origin.
	other := keyset.URL(outside+"/openid/v1/jwks", c.options(keyset.WithBearerTokenFile(c.path("token")))...)
	if err := other.Load(t.Context()); err != nil {
		t.Error(err)
	}
	for _, asked := range c.requests() {
		if asked == "kubernetes.default.svc.cluster.local/openid/v1/jwks token-1" {
			t.Errorf("asked %s", asked)
		}
	}
}

// What makes no sense shows early and says so.
func TestFetchOptionsNameEveryMistake(t *testing.T) {
	none := func(context.Context) (string, error) { return "", errors.New("none") }
	token := keyset.WithBearerTokenFile("/token")
	for says, s := range map[string]*keyset.Set{
		"nothing is fetched here":       keyset.Static([]byte(jwks()), keyset.WithCAFile("/ca.crt")),
		"WithProxy: nothing is fetched": keyset.File("/keys.json", keyset.WithProxy("http://p:1")),
		"WithCAFile: nothing is given":  keyset.URL(address, keyset.WithCAFile("")),
		"WithBearerTokens: nothing":     keyset.URL(address, keyset.WithBearerTokens(nil)),
		"keep one of them":              keyset.URL(address, keyset.WithBearerTokens(none), token),
		"contradict each other":         keyset.URL(address, keyset.WithCAFile("/c"), keyset.WithRoundTripper(&endpoint{})),
		"no URL of a proxy":             keyset.URL(address, keyset.WithProxy("proxy:3128")),
		"a user name or a password":     keyset.Provider(issuer, keyset.WithProxy("http://a:SECRET@proxy:3128")),
		"a host and a port; remove":     keyset.Provider(issuer, keyset.WithProxy("http://proxy:3128/path")),
		"WithUses: no use is named":     keyset.URL(address, keyset.WithUses()),
	} {
		if err := s.Err(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
	for says, s := range map[string]*keyset.Set{
		"CA file: /no: does not exist": keyset.URL(address, keyset.WithCAFile("/no/ca.crt")),
		"token file /no/token":         keyset.Provider(issuer, keyset.WithBearerTokenFile("/no/token")),
	} {
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
}

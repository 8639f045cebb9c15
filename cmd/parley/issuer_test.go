package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/interceptors/auth/tokens"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/principal"
)

// login is an issuer in a folder, run by the program, and orders, a service that asks it for tokens.
type login struct {
	*testing.T
	dir, root string
	web       string // the address of the HTTPS listener
	client    *http.Client
	orders    *auth.Identity
	stop      func() (status int)
	log       *lockedBuffer
}

const (
	ordersID   = "spiffe://shop.example/orders"
	paymentsID = "spiffe://shop.example/payments"
)

// newLogin makes the folder of an issuer, and orders.
func newLogin(t *testing.T) *login {
	t.Helper()
	temp := t.TempDir()
	l := &login{
		T: t, dir: filepath.Join(temp, "issuer"), root: filepath.Join(temp, "root", "root.pem"), log: &lockedBuffer{},
	}
	l.web = freeAddress(t)
	l.must(
		"pinned_root", "init", "--issuer", "https://"+l.web, "--trust-domain", "shop.example", "--root", l.root,
		"--listen", l.web,
	)
	l.certify()
	own := filepath.Join(temp, "orders")
	if err := os.Mkdir(own, 0o700); err != nil {
		t.Fatal(err)
	}
	self, err := principal.ParseID(ordersID)
	if err != nil {
		t.Fatal(err)
	}
	l.orders = auth.TrustDir(own, self, auth.WithEnroll())
	if err := l.orders.Check(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.orders.Close() })
	public, err := jose.ParsePrivateKey(l.read(filepath.Join(own, "keys", "shop.example", "orders.jwk")))
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := public.Public().MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(temp, "clients.yaml"), fmt.Sprintf(`
clients:
  %s:
    jwks: '{"keys":[%s]}'
    own: {audiences: [%s], scopes: [payments.quote]}
    claims: {env: prod, tier: 2, batch: false}
`, ordersID, jwk, paymentsID))
	return l
}

// freeAddress returns an address that was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	lis, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lis.Close() }()
	return lis.Addr().String()
}

func (l *login) read(path string) []byte {
	l.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		l.Fatal(err)
	}
	return text
}

// certify gives the issuer a certificate, and a client that trusts it.
func (l *login) certify() {
	l.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		l.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		l.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		l.Fatal(err)
	}
	write(l.T, filepath.Join(l.dir, "tls.crt"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(l.T, filepath.Join(l.dir, "tls.key"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		l.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	l.client = &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true,
	}}
}

// issuer runs a command of the program for the folder.
func (l *login) issuer(args ...string) (status int, out, errs string) {
	l.Helper()
	var stdout, stderr bytes.Buffer
	all := append([]string{"issuer", args[0]}, args[1:]...)
	status = run(l.Context(), append(all, "--dir", l.dir), streams{&stdout, &stderr})
	return status, stdout.String(), stderr.String()
}

// must runs a command that succeeds and prints a text.
func (l *login) must(want string, args ...string) string {
	l.Helper()
	status, out, errs := l.issuer(args...)
	if status != 0 || !strings.Contains(out, want) {
		l.Fatalf("%v: status %d, %s%s, want %q", args, status, out, errs, want)
	}
	return out
}

// refused runs a command that fails with an error.
func (l *login) refused(want string, args ...string) {
	l.Helper()
	if status, out, errs := l.issuer(args...); status == 0 || !strings.Contains(errs, want) {
		l.Errorf("%v: status %d, %s%s, want %q", args, status, out, errs, want)
	}
}

// serve starts the issuer, on free addresses, and waits until it answers.
func (l *login) serve() {
	l.Helper()
	for range 10 {
		l.configure(func(text string) string {
			text = regexp.MustCompile(`(?m)^admin_listen:.*\n`).ReplaceAllString(text, "")
			text = regexp.MustCompile(`(?ms)^surfaces:.*`).ReplaceAllString(text, "")
			return text + "admin_listen: " + freeAddress(l.T) + "\n"
		})
		ctx, cancel := context.WithCancel(l.Context())
		ended := make(chan int, 1)
		var done sync.Once
		status := -1
		go func() { ended <- run(ctx, []string{"issuer", "serve", "--dir", l.dir}, streams{io.Discard, l.log}) }()
		l.stop = func() int {
			done.Do(func() { cancel(); status = <-ended })
			return status
		}
		if l.await(ended) {
			l.Cleanup(func() { l.stop() })
			return
		}
		cancel()
	}
	l.Fatalf("it does not start: %s", l.log)
}

// await waits until the issuer answers its operator. It returns false if the issuer has ended, such as because another
// process has taken the address.
func (l *login) await(ended <-chan int) bool {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ended:
			return false
		case <-ticker.C:
		}
		if l.log.contains(`"surface":"https"`) {
			if status, _, _ := l.issuer("status"); status == 0 {
				return true
			}
		}
	}
}

func (l *login) configure(change func(string) string) {
	l.Helper()
	path := filepath.Join(l.dir, "issuer.yaml")
	write(l.T, path, change(string(l.read(path))))
}

// token asks for a token in the name of orders.
func (l *login) token() (tokens.Token, error) {
	l.Helper()
	audience, err := principal.ParseID(paymentsID)
	if err != nil {
		l.Fatal(err)
	}
	url := "https://" + l.web
	return tokens.FromIssuer(url, url+"/token", l.orders, tokens.WithRoundTripper(l.client.Transport)).
		Token(l.Context(), audience)
}

// verified checks that the published key set verifies a token.
func (l *login) verified(token tokens.Token) {
	l.Helper()
	keys := keyset.Static(l.get("/jwks.json"))
	defer func() { _ = keys.Close() }()
	parsed, err := jose.Parse(token.Value, "at+jwt")
	if err != nil {
		l.Fatal(err)
	}
	found, err := keys.Lookup(parsed.KeyID(), parsed.Algorithm())
	if err != nil {
		l.Fatal(err)
	}
	if _, err := parsed.Verify(found[0]); err != nil {
		l.Error(err)
	}
}

func (l *login) get(path string) []byte {
	l.Helper()
	request, err := http.NewRequestWithContext(l.Context(), http.MethodGet, "https://"+l.web+path, nil)
	if err != nil {
		l.Fatal(err)
	}
	answer, err := l.client.Do(request)
	if err != nil {
		l.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		l.Fatalf("%s: %s, %v", path, answer.Status, err)
	}
	return text
}

// lockedBuffer is the log of the program.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(text)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (b *lockedBuffer) contains(text string) bool { return strings.Contains(b.String(), text) }

// An issuer is made, started, used, changed by its operator, stopped and started again, and nothing is forgotten.
func TestIssuer(t *testing.T) {
	l := newLogin(t)
	clients := filepath.Join(filepath.Dir(l.dir), "clients.yaml")
	l.serve()
	l.refused("another process", "serve")
	if _, err := l.token(); err == nil {
		t.Error("a service that is not registered got a token")
	}
	l.must("Registered: 1.", "clients", "apply", clients, "--reason", "first")
	l.must(ordersID, "clients", "list")
	token, err := l.token()
	if err != nil {
		t.Fatal(err)
	}
	l.verified(token)
	payload, err := jose.Unproven(token.Value)
	if err != nil {
		t.Fatal(err)
	}
	env, _ := payload.String("env")
	if tier, _ := payload.Lookup([]string{"tier"}).Number(); env != "prod" || tier != 2 {
		t.Errorf("env %s, tier %v", env, tier)
	}

	l.must("signs from", "rotate")
	l.must("Revoked.", "revoke", "--client", ordersID, "--reason", "stolen")
	if _, err := l.token(); err == nil || !strings.HasSuffix(err.Error(), "invalid_client") {
		t.Errorf("a revoked client: %v", err)
	}
	backup := filepath.Join(filepath.Dir(l.dir), "backup")
	l.must("Keep it apart", "backup", backup)
	l.refused("is there", "backup", backup)
	l.must("Reinstated.", "reinstate", ordersID, "--reason", "found")
	l.refused("is not revoked", "reinstate", ordersID, "--reason", "found")
	keys := l.keys()
	l.must("Revoked.", "revoke", "--key", keys[1].ID, "--reason", "made by mistake")
	l.refused("no other key could sign", "revoke", "--key", keys[0].ID, "--reason", "leaked")
	l.must("signs from", "rotate")

	for range 2 {
		if status := l.stop(); status != 0 {
			t.Fatalf("status %d: %s", status, l.log)
		}
		l.serve()
		out := l.must("next", "status")
		for _, want := range []string{"signing", "rotate", "spiffe://shop.example/issuer-operator", `"stolen"`, "reinstate"} {
			if !strings.Contains(out, want) {
				t.Errorf("the status does not have %q: %s", want, out)
			}
		}
		token, err := l.token()
		if err != nil {
			t.Fatal(err)
		}
		l.verified(token)
	}
	l.must("Removed.", "clients", "remove", ordersID, "--reason", "gone")
	if _, err := l.token(); err == nil {
		t.Error("a removed client got a token")
	}

	if status := l.stop(); status != 0 {
		t.Fatal(l.log)
	}
	l.refused("not empty", "restore", backup)
	if err := os.Remove(filepath.Join(l.dir, "issuer.db")); err != nil {
		t.Fatal(err)
	}
	l.must("is restored", "restore", backup)
	l.serve()
	l.must(ordersID, "status") // revoked, as it was when the backup was made
	if _, err := l.token(); err == nil || !strings.HasSuffix(err.Error(), "invalid_client") {
		t.Errorf("a revocation in the backup: %v", err)
	}
	l.must(`"use":`, "status", "--output", "json")
}

// keyJSON is a key in the status.
type keyJSON struct {
	ID  string `json:"key_id"`
	Use string `json:"use"`
}

func (l *login) keys() []keyJSON {
	l.Helper()
	var status struct {
		Keys []keyJSON `json:"keys"`
	}
	if err := json.Unmarshal([]byte(l.must("keys", "status", "--output", "json")), &status); err != nil {
		l.Fatal(err)
	}
	return status.Keys
}

// A changed lifetime takes effect without a restart. A bad configuration changes nothing.
func TestIssuerReloads(t *testing.T) {
	l := newLogin(t)
	l.serve()
	l.must("Registered", "clients", "apply", filepath.Join(filepath.Dir(l.dir), "clients.yaml"), "--reason", "first")
	lifetime := func() time.Duration {
		t.Helper()
		token, err := l.token()
		if err != nil {
			t.Fatal(err)
		}
		return time.Until(token.Expires).Round(time.Minute)
	}
	if d := lifetime(); d != 10*time.Minute {
		t.Errorf("it lives for %v", d)
	}
	l.configure(func(text string) string { return text + "tokens: {lifetime: 5m}\n" })
	l.awaitLog("the configuration was reloaded")
	if d := lifetime(); d != 5*time.Minute {
		t.Errorf("it lives for %v", d)
	}
	l.configure(func(text string) string { return strings.ReplaceAll(text, "lifetime: 5m", "lifetime: 5h") })
	l.awaitLog("the configuration is bad")
	l.configure(func(text string) string { return strings.ReplaceAll(text, "lifetime: 5h", "lifetme: 5m") })
	l.awaitLog("lifetme")
	if d := lifetime(); d != 5*time.Minute {
		t.Errorf("it lives for %v", d)
	}
}

func (l *login) awaitLog(text string) {
	l.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !l.log.contains(text) {
		select {
		case <-ticker.C:
		case <-l.Context().Done():
			l.Fatal(l.log)
		}
	}
}

func TestIssuerInitRefuses(t *testing.T) {
	l := newLogin(t)
	other := &login{T: t, dir: filepath.Join(t.TempDir(), "other")}
	stated := []string{"init", "--issuer", "https://id.shop.example", "--trust-domain", "shop.example"}
	l.refused("is there", append(stated, "--root", filepath.Join(t.TempDir(), "root.pem"))...)
	other.refused("keep it elsewhere", append(stated, "--root", filepath.Join(other.dir, "root.pem"))...)
	other.refused("the root key", append(stated, "--root", l.root)...)
	stated[2] = "http://id.shop.example"
	other.refused("use https", append(stated, "--root", l.root)...)
	stated[4] = "Shop"
	other.refused("trust_domain", append(stated, "--root", l.root)...)
}

// What the root signs on its machine is served, and verifiers that pin the root accept it.
func TestIssuerSign(t *testing.T) {
	l := newLogin(t)
	l.serve()
	set := filepath.Join(filepath.Dir(l.dir), "jwks.json")
	write(t, set, string(l.get("/jwks.json")))
	var out, errs bytes.Buffer
	sign := []string{"issuer", "sign", set, "--root", l.root, "--days", "2"}
	if status := run(t.Context(), sign, streams{&out, &errs}); status != 0 {
		t.Fatal(errs.String())
	}
	if lines := strings.Count(out.String(), "\n"); lines != 4 {
		t.Errorf("%d key sets for two days", lines)
	}
	write(t, filepath.Join(l.dir, "signed"), out.String())
	if status := l.stop(); status != 0 {
		t.Fatal(l.log)
	}
	l.configure(func(text string) string {
		return strings.Replace(text, "keys:\n", "keys:\n  signed_sets_file: signed\n  rotate_after: 0s\n", 1)
	})
	l.serve()
	compact := string(l.get("/jwks.jwt"))
	token, err := jose.Parse(compact, jose.TypeKeySet)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := token.VerifyPinned("root", token.KeyID()); err != nil {
		t.Error(err)
	}
}

// A process without the key of the operator changes nothing.
func TestOnlyTheOperatorChangesTheIssuer(t *testing.T) {
	l := newLogin(t)
	l.serve()
	self, err := principal.ParseID("spiffe://shop.example/issuer-operator")
	if err != nil {
		t.Fatal(err)
	}
	forged := filepath.Join(filepath.Dir(l.dir), "forged")
	if err := os.Mkdir(forged, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(forged, "trust"), os.DirFS(filepath.Join(l.dir, "trust"))); err != nil {
		t.Fatal(err)
	}
	id := auth.TrustDir(forged, self, auth.WithEnroll()) // with a key that the issuer does not know
	if err := id.Check(); err != nil {
		t.Fatal(err)
	}
	if err := id.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(forged, "issuer.yaml"), string(l.read(filepath.Join(l.dir, "issuer.yaml"))))
	thief := &login{T: t, dir: forged}
	thief.refused("the issuer at", "rotate")
	if keys := l.keys(); len(keys) != 1 {
		t.Errorf("%v", keys)
	}
}

// A workload that only a cluster knows gets identity tokens for a key of its own, until the operator revokes it.
func TestIssuerEnrolls(t *testing.T) {
	l := newLogin(t)
	_, cluster, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := jose.NewPrivateKey(cluster)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := key.Public().MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(l.dir, "cluster.json"), fmt.Sprintf(`{"keys":[%s]}`, jwk))
	l.configure(func(text string) string {
		return `identities:
  lifetime: 30m
  authorities:
  - issuer: https://kubernetes.default.svc.cluster.local
    provider: kubernetes
    keys_file: cluster.json
    principals:
      claim: sub
      ids: {"system:serviceaccount:shop:payments": payments}
      required: ["kubernetes.io>pod>uid"]
` + text
	})
	l.serve()
	evidence := filepath.Join(t.TempDir(), "token")
	write(t, evidence, projected(t, cluster, key.Public().KeyID(), "https://"+l.web))
	self, err := principal.ParseID(paymentsID)
	if err != nil {
		t.Fatal(err)
	}
	_, own, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	url := "https://" + l.web
	source := tokens.IdentityFromIssuer(
		url, url+"/token", self, own, evidence, tokens.WithRoundTripper(l.client.Transport),
	)
	token, err := source.Token(t.Context(), principal.ID{})
	if err != nil {
		t.Fatalf("%v\n%s", err, l.log)
	}
	if left := time.Until(token.Expires).Round(time.Minute); left != 30*time.Minute {
		t.Errorf("it is valid for %v", left)
	}
	l.must("Revoked.", "revoke", "--client", paymentsID, "--reason", "stolen")
	if _, err := source.Token(
		t.Context(),
		principal.ID{},
	); err == nil ||
		!strings.HasSuffix(err.Error(), "invalid_client") {
		t.Errorf("a revoked workload: %v", err)
	}
	l.must("Reinstated.", "reinstate", paymentsID, "--reason", "found")
	if _, err := source.Token(t.Context(), principal.ID{}); err != nil {
		t.Error(err)
	}
	l.configure(func(text string) string { return strings.Replace(text, "claim: sub", "claim: [sub]", 1) })
	l.awaitLog("the configuration is bad")
	if _, err := source.Token(t.Context(), principal.ID{}); err != nil {
		t.Error(err)
	}
}

// projected is the token of a pod of payments, as Kubernetes makes it.
func projected(t *testing.T, cluster ed25519.PrivateKey, kid, audience string) string {
	t.Helper()
	now := time.Now()
	claims, err := json.Marshal(map[string]any{
		"iss": "https://kubernetes.default.svc.cluster.local", "sub": "system:serviceaccount:shop:payments",
		"aud": []string{audience}, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "jti": "1",
		"kubernetes.io": map[string]any{"namespace": "shop", "pod": map[string]string{"uid": "2"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"EdDSA","kid":"`+kid+`"}`)) + "." + encode(claims)
	return text + "." + encode(ed25519.Sign(cluster, []byte(text)))
}

package auth_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/principal"
)

// world is a trust directory with workloads in it.
type world struct {
	t      testing.TB
	dir    string
	domain principal.TrustDomain
	log    *lockedBuffer
}

func newWorld(t testing.TB) *world {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return &world{t: t, dir: dir, domain: domainOf(t, "shop.example"), log: &lockedBuffer{}}
}

func domainOf(t testing.TB, name string) principal.TrustDomain {
	t.Helper()
	d, err := principal.ParseTrustDomain(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (w *world) id(service string) principal.ID {
	w.t.Helper()
	if strings.Contains(service, "://") {
		id, err := principal.ParseID(service)
		if err != nil {
			w.t.Fatal(err)
		}
		return id
	}
	id, err := w.domain.ID(service)
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// enroll makes and publishes the keys of services.
func (w *world) enroll(services ...string) {
	w.t.Helper()
	for _, service := range services {
		id := w.id(service)
		if _, err := os.Stat(w.keyFile(id)); os.IsNotExist(err) && !strings.ContainsAny(service, "/_") {
			w.enrollNew(id)
		} else if err := auth.Enroll(w.dir, id); err != nil {
			w.t.Fatal(err)
		}
	}
}

// enrollNew writes the files that auth.Enroll makes, and does not wait for the disk as it does, which takes longer than
// most tests.
func (w *world) enrollNew(id principal.ID) {
	w.t.Helper()
	key := newKey(w.t, jose.EdDSA)
	private, err := key.MarshalJWK()
	if err != nil {
		w.t.Fatal(err)
	}
	public, err := key.Public().MarshalJWK()
	if err != nil {
		w.t.Fatal(err)
	}
	entry, err := json.Marshal(map[string]any{"id": id.String(), "jwk": json.RawMessage(public)})
	if err != nil {
		w.t.Fatal(err)
	}
	name := id.Service() + "." + key.Public().Thumbprint() + ".json"
	for path, text := range map[string][]byte{
		w.keyFile(id): private,
		filepath.Join(w.dir, "trust", id.TrustDomain().String(), name): entry,
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			w.t.Fatal(err)
		}
		whole := filepath.Join(filepath.Dir(w.dir), filepath.Base(path)) // outside of what an identity reads
		if err := os.WriteFile(whole, text, 0o600); err != nil {
			w.t.Fatal(err)
		}
		if err := os.Rename(whole, path); err != nil {
			w.t.Fatal(err)
		}
	}
}

// keyFile is the file of a workload's private key.
func (w *world) keyFile(id principal.ID) string {
	name := strings.ReplaceAll(id.Service(), "/", "+") + ".jwk"
	return filepath.Join(w.dir, "keys", id.TrustDomain().String(), name)
}

// identity returns an enrolled service, checked, which is closed at the end of the test.
func (w *world) identity(service string, opts ...auth.Option) *auth.Identity {
	w.t.Helper()
	logger := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	i := auth.TrustDir(w.dir, w.id(service), append([]auth.Option{auth.WithEnroll(), auth.WithLogger(logger)}, opts...)...)
	if err := i.Check(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := i.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return i
}

// certificate returns a certificate for localhost, in the form in which a server wants it, and the roots that vouch for
// it.
func (w *world) certificate() (*x509.CertPool, func(*tls.ClientHelloInfo) (*tls.Certificate, error)) {
	w.t.Helper()
	certificate := evilServerConfig(w.t).Certificates[0] // any certificate for localhost
	leaf, err := x509.ParseCertificate(certificate.Certificate[0])
	if err != nil {
		w.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return roots, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &certificate, nil }
}

// key is the private key of an enrolled service, for the tests in which it does wrong.
func (w *world) key(service string) *jose.PrivateKey {
	w.t.Helper()
	text, err := os.ReadFile(w.keyFile(w.id(service)))
	if err != nil {
		w.t.Fatal(err)
	}
	key, err := jose.ParsePrivateKey(text)
	if err != nil {
		w.t.Fatal(err)
	}
	return key
}

// replaceKey puts another private key in the place of a service's.
func (w *world) replaceKey(service string) *jose.PrivateKey {
	w.t.Helper()
	next := newKey(w.t, jose.EdDSA)
	text, err := next.MarshalJWK()
	if err != nil {
		w.t.Fatal(err)
	}
	write(w.t, filepath.Join(w.dir, "keys", "shop.example", service+".jwk"), string(text))
	return next
}

// revoke takes the key of a service out of trust.
func (w *world) revoke(service string) {
	w.t.Helper()
	dir := filepath.Join(w.dir, "revoked")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, w.key(service).Public().Thumbprint()), nil, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// forget deletes the public key of a service and returns what puts it back.
func (w *world) forget(service string) (restore func()) {
	w.t.Helper()
	kid := w.key(service).Public().Thumbprint()
	var path string
	err := filepath.WalkDir(filepath.Join(w.dir, "trust"), func(p string, _ fs.DirEntry, err error) error {
		if strings.Contains(p, kid) {
			path = p
		}
		return err
	})
	if err != nil || path == "" {
		w.t.Fatalf("public key of %s: %q, %v", service, path, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		w.t.Fatal(err)
	}
	return func() {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			w.t.Error(err)
		}
	}
}

// reread is a little longer than the trust directory needs to notice a change.
const reread = 2100 * time.Millisecond

// lockedBuffer is a log that many goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

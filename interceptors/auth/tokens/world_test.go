package tokens_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/principal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const issuerName = "https://id.shop.example"

var errUnexpected = errors.New("the test did not expect this")

// shopDomain is the trust domain of all workloads here.
func shopDomain(t testing.TB) principal.TrustDomain {
	t.Helper()
	domain, err := principal.ParseTrustDomain("shop.example")
	if err != nil {
		t.Fatal(err)
	}
	return domain
}

// id is the ID of a service of the shop.
func id(t testing.TB, service string) principal.ID {
	t.Helper()
	id, err := shopDomain(t).ID(service)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func newKey(t testing.TB) *jose.PrivateKey {
	t.Helper()
	key, err := jose.GenerateKey(jose.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

type claims map[string]any

// in is a time seen from now.
func in(d time.Duration) int64 { return time.Now().Add(d).Unix() }

func sign(t testing.TB, key *jose.PrivateKey, typ string, c claims) string {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	token, err := key.Sign(typ, text)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// write replaces a file as a whole.
func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// orders is a workload, and its key.
func orders(t testing.TB) (*auth.Identity, *jose.PrivateKey) {
	t.Helper()
	key := newKey(t)
	text, err := key.MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "orders.jwk")
	write(t, file, string(text))
	i := auth.TrustDir(dir, id(t, "orders"), auth.WithEnroll(), auth.WithKeyFile(file))
	t.Cleanup(func() { _ = i.Close() })
	return i, key
}

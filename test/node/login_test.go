package node_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/issuer"
)

// Two common OAuth clients log in to the issuer as they are. Their assertions state no typ, which RFC 7523 does not
// demand.
func TestLogin(t *testing.T) {
	state := t.TempDir()
	if err := os.Chmod(state, 0o700); err != nil {
		t.Fatal(err)
	}
	orders := enroll(t, state, "orders")
	const payments = "spiffe://shop.example/payments"
	clients := issuer.NewStatic(issuer.Client{
		ID: orders.ID().String(), JWKS: fmt.Appendf(nil, `{"keys":[%s]}`, published(t, state, "orders")),
		Own: issuer.Grant{Audiences: []string{payments}, Scopes: []string{"payments.read"}},
	})
	_, signer, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var id *issuer.Issuer
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { id.ServeHTTP(w, r) }))
	defer server.Close()
	id = issuer.New(server.URL, issuer.NewKeys(signer), clients, issuer.WithLoopbackHTTP())
	defer func() { _ = id.Close() }()
	if err := id.Check(); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{
		"issuer": server.URL, "client_id": orders.ID().String(), "resource": payments,
		"client_key": read(t, filepath.Join(state, "keys", "shop.example", "orders.jwk")),
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "login.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if said := node(t, "login.mjs", path); strings.Count(said, "ok: ") != 2 {
		t.Error("a client could not log in")
	}
}

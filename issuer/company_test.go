package issuer_test

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/parley-rpc/parley/issuer"
	"github.com/parley-rpc/parley/keyset"
)

// The keys of a login service inside a company are fetched with its own authorities and with a bearer token.
func TestKeysOfALoginInsideACompany(t *testing.T) {
	s := newShop(t)
	login := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer open" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		_, _ = w.Write(jwks(t, s.login))
	}))
	login.Config.ErrorLog = log.New(io.Discard, "", 0) // it refuses those who do not know its authority
	login.StartTLS()
	t.Cleanup(login.Close)
	file := func(name string, content []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	authority := keyset.WithCAFile(file("ca.pem",
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: login.Certificate().Raw})))
	token := keyset.WithBearerTokenFile(file("token", []byte("open")))
	for name, test := range map[string]struct {
		options []keyset.Option
		found   bool
	}{
		"both":         {[]keyset.Option{authority, token}, true},
		"no token":     {[]keyset.Option{authority}, false},
		"no authority": {[]keyset.Option{token}, false},
	} {
		id := issuer.New(issuerName, s.keys, s.registry, issuer.WithTransactions("shop.example"), issuer.WithRate(1000, 1000),
			issuer.WithLogin(issuer.Login{Name: loginName, JWKSURL: login.URL + "/jwks", KeyOptions: test.options}))
		if err := id.Check(); err != nil {
			t.Fatal(err)
		}
		s.id = id
		answer := s.post(s.aliceForm())
		deadline := time.Now().Add(time.Minute)
		for test.found && answer.status != http.StatusOK {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %d %v", name, answer.status, answer.members)
			}
			answer = s.post(s.aliceForm())
		}
		if !test.found && answer.status != http.StatusServiceUnavailable {
			t.Errorf("%s: %d %v", name, answer.status, answer.members)
		}
		if err := id.Close(); err != nil {
			t.Error(err)
		}
	}
}

package issuer_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/interceptors/auth/tokens"
	"github.com/parley-rpc/parley/issuer"
	"github.com/parley-rpc/parley/principal"
)

// The issuer of a shop, and a service that logs in to it with its own key and gets a token for another service.
func Example() {
	orders, jwks, err := enroll()
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = orders.Close() }()

	_, signer, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	services := issuer.NewStatic(issuer.Client{
		ID: "spiffe://shop.example/orders", JWKS: jwks,
		Own: issuer.Grant{
			Audiences: []string{"spiffe://shop.example/payments"}, Scopes: []string{"payments.read", "payments.refund"},
		},
		Claims: map[string]any{"env": "prod"},
	})
	id := issuer.New("https://id.shop.example", issuer.NewKeys(signer), services)
	defer func() { _ = id.Close() }()
	if err := id.Check(); err != nil {
		log.Fatal(err)
	}

	server := &http.Server{Addr: ":8443", Handler: id, ReadTimeout: 10 * time.Second}
	// server.ListenAndServeTLS("id.crt", "id.key"), in real life
	defer func() { _ = server.Close() }()

	tokens := tokens.FromIssuer("https://id.shop.example", "https://id.shop.example/token", orders,
		tokens.WithScopes("payments.read"), tokens.WithRoundTripper(inMemory{server.Handler}))
	payments, err := principal.ParseID("spiffe://shop.example/payments")
	if err != nil {
		log.Fatal(err)
	}
	token, err := tokens.Token(context.Background(), payments)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("a token for", time.Until(token.Expires).Round(time.Minute))

	elsewhere, err := principal.ParseID("spiffe://shop.example/ledger")
	if err != nil {
		log.Fatal(err)
	}
	_, err = tokens.Token(context.Background(), elsewhere)
	fmt.Println(err)
	// Output:
	// a token for 10m0s
	// tokens: token endpoint: POST https://id.shop.example/token: HTTP status 400: invalid_target
}

// The edge of a shop may exchange the tokens of the users that it is sent for transaction tokens, and nothing else.
func ExampleWithTransactions() {
	_, signer, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	edge := issuer.Client{
		ID:    "spiffe://shop.example/edge",
		JWKS:  []byte(`{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`),
		Users: issuer.Grant{Audiences: []string{"shop.example"}, Scopes: []string{"orders.place", "payments.charge"}},
	}
	id := issuer.New("https://id.shop.example", issuer.NewKeys(signer), issuer.NewStatic(edge),
		issuer.WithLogin(issuer.Login{Name: "https://login.shop.example", JWKSURL: "https://login.shop.example/jwks"}),
		issuer.WithTransactions("shop.example"))
	defer func() { _ = id.Close() }()
	fmt.Println(id)
	// Output: issuer.New("https://id.shop.example", issuer.WithLogin("https://login.shop.example"), issuer.WithTransactions("shop.example"))
}

// A key is replaced in one call: it is published now and signs when every verifier has seen it.
func ExampleKeys_Rotate() {
	_, first, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	_, second, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	keys := issuer.NewKeys(first)
	signs, err := keys.Rotate(second)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("signs in", time.Until(signs).Round(time.Minute))
	for _, key := range keys.State() {
		fmt.Println(key.Use)
	}
	// Output:
	// signs in 12m0s
	// signing
	// next
}

// enroll makes a workload with a key of its own. Its public half is what the issuer registers.
func enroll() (orders *auth.Identity, jwks []byte, err error) {
	dir, err := os.MkdirTemp("", "parley") // of mode 0700
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	self, err := principal.ParseID("spiffe://shop.example/orders")
	if err != nil {
		return nil, nil, err
	}
	orders = auth.TrustDir(dir, self, auth.WithEnroll())
	if err := orders.Check(); err != nil {
		return nil, nil, err
	}
	entries, err := filepath.Glob(filepath.Join(dir, "trust", "shop.example", "orders.*.json"))
	if err != nil || len(entries) != 1 {
		return nil, nil, fmt.Errorf("%d entries in the trust directory, %w", len(entries), err)
	}
	text, err := os.ReadFile(entries[0])
	if err != nil {
		return nil, nil, err
	}
	var entry struct {
		JWK json.RawMessage `json:"jwk"`
	}
	err = json.Unmarshal(text, &entry)
	return orders, fmt.Appendf(nil, `{"keys":[%s]}`, entry.JWK), err
}

// inMemory reaches an issuer without a network.
type inMemory struct{ handler http.Handler }

func (m inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	m.handler.ServeHTTP(w, r)
	return w.Result(), nil
}

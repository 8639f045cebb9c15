package issuer_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/issuer"
)

const (
	issuerName = "https://id.shop.example"
	loginName  = "https://login.shop.example"
	edge       = "spiffe://shop.example/edge"
	orders     = "spiffe://shop.example/orders"
	payments   = "spiffe://shop.example/payments"

	exchange    = "urn:ietf:params:oauth:grant-type:token-exchange"
	accessToken = "urn:ietf:params:oauth:token-type:access_token"
	txnToken    = "urn:ietf:params:oauth:token-type:txn_token"
)

// shop is an issuer, the login service whose users it knows, and a service, edge, that asks it for tokens.
type shop struct {
	t        testing.TB
	signer   crypto.Signer
	keys     *issuer.Keys
	id       *issuer.Issuer
	edge     *jose.PrivateKey
	orders   *jose.PrivateKey
	login    *jose.PrivateKey
	registry issuer.Registry
	log      *lockedBuffer
}

// edgeClient is what edge may get.
func (s *shop) edgeClient() issuer.Client {
	return issuer.Client{
		ID: edge, JWKS: jwks(s.t, s.edge),
		Own: issuer.Grant{Audiences: []string{orders, payments}, Scopes: []string{"orders.read", "payments.read"}},
		Users: issuer.Grant{
			Audiences: []string{"shop.example", payments}, Scopes: []string{"orders.place", "payments.charge"},
		},
		Claims: map[string]any{"env": "prod", "tier": 2, "batch": false, "teams": []string{"shop", "\"web\""}},
	}
}

// ordersClient may get nothing for users.
func (s *shop) ordersClient() issuer.Client {
	return issuer.Client{ID: orders, JWKS: jwks(s.t, s.orders), Own: issuer.Grant{Audiences: []string{payments}}}
}

func newShop(t testing.TB, opts ...issuer.Option) *shop {
	t.Helper()
	s := &shop{
		t: t, signer: newSigner(t), edge: newKey(t), orders: newKey(t), login: newKey(t), log: &lockedBuffer{},
	}
	s.keys = issuer.NewKeys(s.signer)
	s.registry = issuer.NewStatic(s.edgeClient(), s.ordersClient())
	s.open(opts...)
	return s
}

// open makes the issuer anew.
func (s *shop) open(opts ...issuer.Option) {
	s.t.Helper()
	s.id = issuer.New(issuerName, s.keys, s.registry, append([]issuer.Option{
		issuer.WithLogin(issuer.Login{Name: loginName, JWKS: jwks(s.t, s.login)}),
		issuer.WithTransactions("shop.example"), issuer.WithLogger(logTo(s.log)),
	}, opts...)...)
	s.t.Cleanup(func() { _ = s.id.Close() })
}

// RoundTrip reaches the issuer without a network.
func (s *shop) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	s.id.ServeHTTP(w, r)
	return w.Result(), nil
}

func newSigner(t testing.TB) crypto.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newKey(t testing.TB) *jose.PrivateKey {
	t.Helper()
	key, err := jose.GenerateKey(jose.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func jwk(t testing.TB, key *jose.PrivateKey) []byte {
	t.Helper()
	text, err := key.Public().MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func jwks(t testing.TB, keys ...*jose.PrivateKey) []byte {
	t.Helper()
	var list [][]byte
	for _, key := range keys {
		list = append(list, jwk(t, key))
	}
	return append(append([]byte(`{"keys":[`), bytes.Join(list, []byte(","))...), `]}`...)
}

// claims are those of a token that is forged, or read.
type claims map[string]any

// with returns the claims after a change, in which nil takes one away.
func (c claims) with(change claims) claims {
	changed := maps.Clone(c)
	for name, value := range change {
		if changed[name] = value; value == nil {
			delete(changed, name)
		}
	}
	return changed
}

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

// in is a time from now in seconds.
func in(d time.Duration) int64 { return time.Now().Add(d).Unix() }

// honest is what an assertion of a client claims.
func honest(client string) claims {
	return claims{
		"iss": client, "sub": client, "aud": issuerName, "iat": in(0), "exp": in(time.Minute), "jti": rand.Text(),
	}
}

// alice is what her access token for edge claims.
func alice() claims {
	return claims{
		"iss": loginName, "sub": "alice", "aud": edge, "iat": in(0), "exp": in(10 * time.Minute), "jti": "7",
		"scope": "orders.place payments.charge browse",
	}
}

// ownForm asks for a token in the name of edge.
func (s *shop) ownForm() url.Values {
	return s.formWith(sign(s.t, s.edge, assertionType, honest(edge)))
}

const assertionType = "client-authentication+jwt"

func (s *shop) formWith(assertion string) url.Values {
	return url.Values{
		"grant_type": {"client_credentials"}, "resource": {payments},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion},
	}
}

// userForm asks for a transaction token for the user of a token.
func (s *shop) userForm(user string) url.Values {
	f := s.ownForm()
	f.Del("resource")
	return change(f, url.Values{
		"grant_type": {exchange}, "audience": {"shop.example"}, "requested_token_type": {txnToken},
		"subject_token": {user}, "subject_token_type": {accessToken},
	})
}

func (s *shop) aliceForm() url.Values {
	return s.userForm(sign(s.t, s.login, "at+jwt", alice()))
}

// change replaces parameters of a form; nil takes one away.
func change(f, by url.Values) url.Values {
	for name, values := range by {
		if f[name] = values; values == nil {
			f.Del(name)
		}
	}
	return f
}

// reply is what the token endpoint answered.
type reply struct {
	status  int
	header  http.Header
	members claims
}

func (r reply) text(name string) string { text, _ := r.members[name].(string); return text }

func (s *shop) post(f url.Values) reply { return s.send(strings.NewReader(f.Encode()), nil) }

func (s *shop) send(body io.Reader, alter func(*http.Request)) reply {
	s.t.Helper()
	request := httptest.NewRequestWithContext(s.t.Context(), http.MethodPost, issuerName+"/token", body)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if alter != nil {
		alter(request)
	}
	w := httptest.NewRecorder()
	s.id.ServeHTTP(w, request)
	r := reply{status: w.Code, header: w.Header()}
	if err := json.Unmarshal(w.Body.Bytes(), &r.members); err != nil {
		s.t.Errorf("%d %q: %v", w.Code, w.Body, err)
	}
	return r
}

// refuses checks that the endpoint answers with an error and nothing else.
func (s *shop) refuses(t *testing.T, r reply, status int, code string) {
	t.Helper()
	if r.status != status || r.text("error") != code || r.members["access_token"] != nil {
		t.Errorf("%d %v, want %d %s", r.status, r.members, status, code)
	}
	if r.header.Get("Cache-Control") != "no-store" || r.header.Get("Content-Type") != "application/json" {
		t.Errorf("header %v", r.header)
	}
}

// token returns the claims of a token that the issuer made, by its published keys.
func (s *shop) token(t *testing.T, r reply, typ string) claims {
	t.Helper()
	if r.status != http.StatusOK {
		t.Fatalf("%d %v", r.status, r.members)
	}
	token, err := jose.Parse(r.text("access_token"), typ)
	if err != nil {
		t.Fatal(err)
	}
	list, err := jose.SplitKeySet(s.document(t, "/jwks.json"), 16)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range list {
		key, err := jose.ParsePublicKey(text)
		if err != nil {
			t.Fatal(err)
		}
		if key.KeyID() != token.KeyID() {
			continue
		}
		if _, err := token.Verify(key); err != nil {
			t.Fatal(err)
		}
		return read(t, r.text("access_token"))
	}
	t.Fatalf("key %s is not published", token.KeyID())
	return nil
}

// read returns the claims of a token as another parser sees them.
func read(t *testing.T, compact string) claims {
	t.Helper()
	payload, err := jose.Unproven(compact)
	if err != nil {
		t.Fatal(err)
	}
	c := claims{}
	for _, name := range payload.Names() {
		value := payload.Lookup([]string{name})
		if text, ok := value.String(); ok {
			c[name] = text
		} else if number, ok := value.Number(); ok {
			c[name] = int64(number)
		} else if truth, ok := value.Bool(); ok {
			c[name] = truth
		} else {
			c[name], _ = payload.Strings(name)
		}
	}
	return c
}

func (s *shop) ask(method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.id.ServeHTTP(w, httptest.NewRequestWithContext(s.t.Context(), method, issuerName+path, nil))
	return w
}

func decode(t testing.TB, text []byte) claims {
	t.Helper()
	c := claims{}
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return c
}

func (s *shop) document(t testing.TB, path string) []byte {
	t.Helper()
	w := s.ask(http.MethodGet, path)
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d", path, w.Code)
	}
	return w.Body.Bytes()
}

// registryOf is a registry of somebody's own.
type registryOf func(ctx context.Context, id string) (issuer.Client, error)

func (r registryOf) Client(ctx context.Context, id string) (issuer.Client, error) { return r(ctx, id) }

// logTo returns a logger that leaves nothing out.
func logTo(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

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

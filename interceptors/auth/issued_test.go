package auth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/interceptors/auth/tokens"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

const (
	issuerName = "https://id.shop.example"
	issuerKeys = issuerName + "/jwks"
)

// login is an issuer of identity tokens: its keys, and the endpoint where it publishes them.
type login struct {
	t   testing.TB
	dir string
	log *lockedBuffer

	mu        sync.Mutex
	key       *jose.PrivateKey
	published []*jose.PrivateKey
	fails     error
	fetches   int
}

func newLogin(t testing.TB) *login {
	t.Helper()
	l := &login{t: t, dir: t.TempDir(), log: &lockedBuffer{}}
	l.key = newKey(t, jose.EdDSA)
	l.published = []*jose.PrivateKey{l.key}
	return l
}

func newKey(t testing.TB, alg jose.Algorithm) *jose.PrivateKey {
	t.Helper()
	key, err := jose.GenerateKey(alg)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// RoundTrip answers as the issuer's endpoint does.
func (l *login) RoundTrip(*http.Request) (*http.Response, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fetches++
	if l.fails != nil {
		return nil, l.fails
	}
	return answer(jwksOf(l.t, l.published...)), nil
}

func answer(text string) *http.Response {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text))}
}

// publish sets the keys that the endpoint shows. The last one signs from now on.
func (l *login) publish(keys ...*jose.PrivateKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.published = keys
	if len(keys) > 0 {
		l.key = keys[len(keys)-1]
	}
}

func (l *login) breakDown(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fails = err
}

func (l *login) logger() *slog.Logger { return logTo(l.log) }

// logTo returns a logger that leaves nothing out.
func logTo(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// keptKey is a signer of a key service: its secret cannot be had.
type keptKey struct{ crypto.Signer }

func newSigner(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return keptKey{key}
}

func jwksOf(t testing.TB, keys ...*jose.PrivateKey) string {
	t.Helper()
	list := make([]string, len(keys))
	for i, key := range keys {
		text, err := key.Public().MarshalJWK()
		if err != nil {
			t.Error(err)
		}
		list[i] = string(text)
	}
	return `{"keys":[` + strings.Join(list, ",") + `]}`
}

// keys is the issuer's key set as verifiers see it, closed at the end of the test.
func (l *login) keys(opts ...keyset.Option) *keyset.Set {
	l.t.Helper()
	k := keyset.URL(issuerKeys, append(opts, keyset.WithRoundTripper(l), keyset.WithLogger(l.logger()))...)
	l.t.Cleanup(func() {
		if err := k.Close(); err != nil {
			l.t.Error(err)
		}
	})
	return k
}

// witness signs an identity token.
func (l *login) witness(id string, key *jose.PrivateKey, life time.Duration, change ...claims) string {
	l.t.Helper()
	c := claims{"iss": issuerName, "sub": id, "iat": in(0), "exp": in(life), "cnf": confirmation(l.t, key)}
	for _, other := range change {
		c = c.with(other)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return sign(l.t, l.key, "wit+jwt", c)
}

// confirmation is the claim cnf for a key.
func confirmation(t testing.TB, key *jose.PrivateKey) claims {
	t.Helper()
	text, err := key.Public().MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	return claims{"jwk": json.RawMessage(text)}
}

// workload is where the key and the identity token of a workload lie.
type workload struct{ key, token string }

// write replaces a file as a careful agent does.
func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// hire gives a workload a key and an identity token of this life.
func (l *login) hire(service string, key *jose.PrivateKey, life time.Duration) workload {
	l.t.Helper()
	w := workload{key: filepath.Join(l.dir, service+".jwk"), token: filepath.Join(l.dir, service+".jwt")}
	text, err := key.MarshalJWK()
	if err != nil {
		l.t.Fatal(err)
	}
	write(l.t, w.key, string(text))
	write(l.t, w.token, l.witness("spiffe://shop.example/"+service, key, life))
	return w
}

// identity is a hired workload's identity, closed at the end of the test.
func (l *login) identity(service string, w workload, keys *keyset.Set, opts ...auth.Option) *auth.Identity {
	l.t.Helper()
	domain := domainOf(l.t, "shop.example")
	id, err := domain.ID(service)
	if err != nil {
		l.t.Fatal(err)
	}
	i := auth.Issued(id, tokens.File(w.token),
		[]auth.IdentityIssuer{{Name: issuerName, Keys: keys, Domains: []principal.TrustDomain{domain}}},
		append([]auth.Option{auth.WithKeyFile(w.key), auth.WithLogger(l.logger())}, opts...)...)
	l.t.Cleanup(func() {
		if err := i.Close(); err != nil {
			l.t.Error(err)
		}
	})
	return i
}

func ready(t testing.TB, i *auth.Identity) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := i.Ready(ctx); err != nil {
		t.Fatal(err)
	}
}

// Two workloads that know nothing of each other but their issuer prove themselves to each other.
func TestIssuedIdentities(t *testing.T) {
	for _, alg := range []jose.Algorithm{jose.EdDSA, jose.ES256} {
		t.Run(string(alg), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLogin(t)
				l.publish(newKey(t, alg))
				keys := l.keys()
				seen := make(chan principal.Peer, 1)
				payment := l.identity("payments", l.hire("payments", newKey(t, alg), time.Hour), keys)
				orders := l.identity("orders", l.hire("orders", newKey(t, alg), 20*time.Minute), l.keys())
				ready(t, payment)
				s := serve(t, payments{quote: func(ctx context.Context) error {
					p, _ := principal.PeerFromContext(ctx)
					seen <- p
					return nil
				}}, payment.ServerOptions(nil)...)
				cc := dial(t, s.dialer, orders.DialOptions(payment.ID())...)
				if err := quote(t.Context(), cc); err != nil {
					t.Fatal(err)
				}
				if p := <-seen; p.ID != orders.ID() || time.Until(p.Expires) != 20*time.Minute {
					t.Errorf("the caller is %+v", p)
				}
				if jwtText.MatchString(l.log.String()) {
					t.Error("there is a token in the log")
				}
			})
		})
	}
}

// intrude runs the handshake of payments against a client with this identity token and key, and returns the verdict.
func (l *login) intrude(token func(*jose.PrivateKey) string, change func(token string) claims) int {
	l.t.Helper()
	payment := l.identity("payments", l.hire("payments", newKey(l.t, jose.EdDSA), time.Hour), l.keys())
	ready(l.t, payment)
	verdict, _ := (&world{t: l.t}).assault(payment.Server(nil), evilClientConfig(alpn), func(c evilClient) {
		key := newKey(l.t, jose.EdDSA)
		identity := token(key)
		said := clientClaims(c, c.conn, "spiffe://shop.example/orders", "spiffe://shop.example/payments", c.hello)
		said["cth"] = hash([]byte(identity))
		if change != nil {
			said = said.with(change(identity))
		}
		frame := frameOf(clientHello, helloBody(identity, sign(l.t, key, "parley-client+jwt", said)))
		if _, err := c.conn.Write(frame); err != nil {
			l.t.Error(err)
		}
	})
	return verdict
}

// An identity token is believed only as a whole, and only with the key that it confirms.
func TestIdentityTokensThatAreRefused(t *testing.T) {
	const (
		welcome = 0
		invalid = 1
		expired = 2
		early   = 3
	)
	for name, test := range map[string]struct {
		change  claims
		verdict int
	}{
		"honest":                         {nil, welcome},
		"without iss":                    {claims{"iss": nil}, welcome},
		"with other claims":              {claims{"jti": "1", "team": "shop"}, welcome},
		"another subject":                {claims{"sub": "spiffe://shop.example/ledger"}, invalid},
		"no subject":                     {claims{"sub": nil}, invalid},
		"subject no ID":                  {claims{"sub": "orders"}, invalid},
		"36 foreign trust domain":        {claims{"sub": "spiffe://evil.example/orders"}, invalid},
		"35 iss with a slash behind":     {claims{"iss": issuerName + "/"}, invalid},
		"35 iss in a list":               {claims{"iss": []string{issuerName}}, invalid},
		"an audience":                    {claims{"aud": "spiffe://shop.example/payments"}, invalid},
		"another key than the proof's":   {claims{"cnf": confirmation(t, newKey(t, jose.EdDSA))}, invalid},
		"no cnf":                         {claims{"cnf": nil}, invalid},
		"cnf a string":                   {claims{"cnf": "key"}, invalid},
		"cnf with a kid alone":           {claims{"cnf": claims{"kid": "a"}}, invalid},
		"cnf with more than a key":       {claims{"cnf": claims{"jwk": claims{}, "jku": "https://evil.example"}}, invalid},
		"cnf with a key that is no key":  {claims{"cnf": claims{"jwk": claims{"kty": "OKP", "crv": "Ed25519", "x": "AA", "alg": "EdDSA"}}}, invalid},
		"cnf with an RSA key":            {claims{"cnf": claims{"jwk": json.RawMessage(newProvider(t).jwk("RSA", `,"alg":"RS256"`))}}, invalid},
		"22 no exp":                      {claims{"exp": nil}, invalid},
		"22 no iat":                      {claims{"iat": nil}, invalid},
		"24 exp a string":                {claims{"exp": "1893456000"}, invalid},
		"28 valid for more than an hour": {claims{"exp": in(time.Hour + time.Second)}, invalid},
		"29 expired just now":            {claims{"iat": in(-time.Minute), "exp": in(0)}, expired},
		"30 not valid yet":               {claims{"iat": in(31 * time.Second)}, early},
		"30 29 seconds ahead":            {claims{"iat": in(29 * time.Second)}, welcome},
		"30 nbf ahead":                   {claims{"nbf": in(time.Minute)}, early},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLogin(t)
				got := l.intrude(func(key *jose.PrivateKey) string {
					return l.witness("spiffe://shop.example/orders", key, time.Hour, test.change)
				}, nil)
				if got != test.verdict {
					t.Errorf("verdict %d, want %d", got, test.verdict)
				}
			})
		})
	}
}

// No other token stands in for an identity token, and nobody but the issuer signs one.
func TestIdentityTokensOfAnotherKind(t *testing.T) {
	for name, test := range map[string]struct {
		token   func(l *login, key *jose.PrivateKey, c claims) string
		verdict int
	}{
		"37 an access token": {func(l *login, _ *jose.PrivateKey, c claims) string { return sign(l.t, l.key, "at+jwt", c) }, 1},
		"37 no type":         {func(l *login, _ *jose.PrivateKey, c claims) string { return sign(l.t, l.key, "JWT", c) }, 1},
		"signed by itself":   {func(l *login, key *jose.PrivateKey, c claims) string { return sign(l.t, key, "wit+jwt", c) }, 1},
		"signed by a stranger": {func(l *login, _ *jose.PrivateKey, c claims) string {
			return sign(l.t, newKey(l.t, jose.EdDSA), "wit+jwt", c)
		}, 1},
		"none, as with a directory": {func(*login, *jose.PrivateKey, claims) string { return "" }, 1},
		"junk":                      {func(*login, *jose.PrivateKey, claims) string { return "a.b.c" }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLogin(t)
				got := l.intrude(func(key *jose.PrivateKey) string {
					return test.token(l, key, claims{
						"iss": issuerName, "sub": "spiffe://shop.example/orders", "iat": in(0), "exp": in(time.Hour), "cnf": confirmation(t, key),
					})
				}, nil)
				if got != test.verdict {
					t.Errorf("verdict %d, want %d", got, test.verdict)
				}
			})
		})
	}
}

// The proof speaks for the identity token beside it and for no other.
func TestProofIsTiedToTheIdentityToken(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(token string) claims
		verdict int
	}{
		"cth of the token": {nil, 0},
		"cth missing":      {func(string) claims { return claims{"cth": nil} }, 1},
		"cth of another":   {func(token string) claims { return claims{"cth": hash([]byte(token + "x"))} }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLogin(t)
				got := l.intrude(func(key *jose.PrivateKey) string {
					return l.witness("spiffe://shop.example/orders", key, time.Hour)
				}, test.change)
				if got != test.verdict {
					t.Errorf("verdict %d, want %d", got, test.verdict)
				}
			})
		})
	}
}

// A connection lives no longer than the identity tokens behind it, and calls do not notice, because tokens are renewed
// and connections are made anew before.
func TestConnectionsAreMadeAnewBeforeTheIdentityTokenEnds(t *testing.T) {
	const life = 10 * time.Minute
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t)
		keys := map[string]*jose.PrivateKey{"payments": newKey(t, jose.EdDSA), "orders": newKey(t, jose.EdDSA)}
		hired := map[string]workload{}
		for service, key := range keys {
			hired[service] = l.hire(service, key, life)
		}
		payment := l.identity("payments", hired["payments"], l.keys())
		orders := l.identity("orders", hired["orders"], l.keys())
		ready(t, payment)
		ends := make(chan time.Time, 1)
		s := serve(t, payments{quote: func(ctx context.Context) error {
			time.Sleep(900 * time.Millisecond) // so that there is always a call under way
			p, _ := principal.PeerFromContext(ctx)
			select {
			case ends <- p.Expires:
			default:
			}
			return nil
		}}, payment.ServerOptions(nil)...)
		cc := dial(t, s.dialer, orders.DialOptions(payment.ID())...)
		ctx, cancel := context.WithCancel(t.Context())
		var agent sync.WaitGroup
		defer func() { cancel(); agent.Wait() }()
		agent.Go(func() { // it writes the files
			for tick := time.NewTicker(5 * time.Minute); ; {
				select {
				case <-tick.C:
				case <-ctx.Done():
					return
				}
				for service, key := range keys {
					write(t, hired[service].token, l.witness("spiffe://shop.example/"+service, key, life))
				}
			}
		})
		connections := map[time.Time]bool{}
		for began := time.Now(); time.Since(began) < 40*time.Minute; time.Sleep(100 * time.Millisecond) {
			if err := quote(t.Context(), cc, waitForReady); err != nil {
				t.Fatalf("after %v: %v", time.Since(began), err)
			}
			select {
			case end := <-ends:
				connections[end] = true
				if time.Until(end) > life {
					t.Errorf("a connection until %v", end)
				}
			default:
			}
		}
		if n := len(connections); n < 4 || n > 20 {
			t.Errorf("%d connections in 40 minutes", n)
		}
	})
}

// A workload whose identity token has ended, and has no other, says so and calls nobody.
func TestIdentityTokenEndsWithoutAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t)
		payment := l.identity("payments", l.hire("payments", newKey(t, jose.EdDSA), time.Hour), l.keys())
		orders := l.identity("orders", l.hire("orders", newKey(t, jose.EdDSA), 10*time.Minute), l.keys())
		ready(t, payment)
		s := serve(t, payments{}, payment.ServerOptions(nil)...)
		cc := dial(t, s.dialer, orders.DialOptions(payment.ID())...)
		if err := quote(t.Context(), cc); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10*time.Minute + time.Second)
		refused(t, "call", quote(t.Context(), cc), codes.Unavailable, rpcerr.TokenSourceUnavailable)
		if !strings.Contains(l.log.String(), "own credential not renewed") {
			t.Error("the log does not say that the token was not renewed")
		}
	})
}

// While the issuer's keys cannot be had nobody is believed; open connections and new ones work for as long as the last
// good set is in force.
func TestIssuerDown50And51(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t)
		l.breakDown(errUnexpected)
		keys := l.keys(keyset.WithMaxStale(2 * time.Hour))
		payKey, orderKey := newKey(t, jose.EdDSA), newKey(t, jose.EdDSA)
		pay, order := l.hire("payments", payKey, time.Hour), l.hire("orders", orderKey, time.Hour)
		payment, orders := l.identity("payments", pay, keys), l.identity("orders", order, keys)
		s := serve(t, payments{watch: block}, payment.ServerOptions(nil)...)
		cc := dial(t, s.dialer, orders.DialOptions(payment.ID())...)
		refused(t, "before the first set", quote(t.Context(), cc), codes.Unavailable, rpcerr.KeysUnavailable)
		l.breakDown(nil)
		time.Sleep(31 * time.Second)
		if err := quote(t.Context(), cc); err != nil {
			t.Fatalf("the keys are there: %v", err)
		}
		l.breakDown(errUnexpected)
		for began := time.Now(); time.Since(began) < 110*time.Minute; time.Sleep(time.Minute) {
			if time.Since(began)%(20*time.Minute) == 0 {
				write(t, pay.token, l.witness("spiffe://shop.example/payments", payKey, time.Hour))
				write(t, order.token, l.witness("spiffe://shop.example/orders", orderKey, time.Hour))
			}
			if err := quote(t.Context(), cc, waitForReady); err != nil {
				t.Fatalf("down for %v: %v", time.Since(began), err)
			}
		}
		stream, err := watch(t.Context(), cc)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err == nil {
			t.Fatal("the stream outlived the keys")
		}
		refused(t, "keys too old", quote(t.Context(), cc), codes.Unavailable, rpcerr.KeysUnavailable)
		if state := keys.State(); !state.Stale || state.Err == nil {
			t.Errorf("state %+v", state)
		}
	})
}

// A key that the issuer removes ends the connections that rest on it, with the next refresh, or at once when it is
// invalidated.
func TestIssuerKeyRemoved59(t *testing.T) {
	for name, remove := range map[string]func(*login, *keyset.Set, *jose.PrivateKey){
		"removed":     func(l *login, _ *keyset.Set, _ *jose.PrivateKey) { l.publish(newKey(l.t, jose.EdDSA)) },
		"invalidated": func(_ *login, k *keyset.Set, key *jose.PrivateKey) { k.Invalidate(key.Public().KeyID()) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLogin(t)
				keys := l.keys()
				payment := l.identity("payments", l.hire("payments", newKey(t, jose.EdDSA), time.Hour), keys)
				orders := l.identity("orders", l.hire("orders", newKey(t, jose.EdDSA), time.Hour), keys)
				ready(t, payment)
				s := serve(t, payments{watch: block}, payment.ServerOptions(nil)...)
				cc := dial(t, s.dialer, orders.DialOptions(payment.ID())...)
				stream, err := watch(t.Context(), cc)
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				remove(l, keys, l.key)
				if _, err := stream.Recv(); err == nil {
					t.Fatal("the stream goes on")
				}
				limit := 330 * time.Second // 5 minutes and a tenth
				if name == "invalidated" {
					limit = 0
				}
				if took := time.Since(began); took > limit {
					t.Errorf("it took %v", took)
				}
				refused(t, "next call", quote(t.Context(), cc), codes.Unauthenticated, rpcerr.ServerProofInvalid)
			})
		})
	}
}

package auth_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/rpcerr"
)

// response is what an endpoint answers.
type response func(*http.Request) (*http.Response, error)

// endpoint is where an issuer publishes its keys. It answers what a script says.
type endpoint struct {
	mu      sync.Mutex
	answer  response
	fetches int
}

func (e *endpoint) RoundTrip(r *http.Request) (*http.Response, error) {
	e.mu.Lock()
	e.fetches++
	answer := e.answer
	e.mu.Unlock()
	return answer(r)
}

func (e *endpoint) set(answer response) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer = answer
}

func (e *endpoint) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.fetches
}

func publishing(text string) response {
	return func(*http.Request) (*http.Response, error) { return answer(text), nil }
}

// server is payments, which accepts the tokens of the issuer whose keys lie here.
func (e *endpoint) server(t testing.TB) (*login, *grpc.ClientConn) {
	t.Helper()
	l := newLogin(t)
	e.set(publishing(jwksOf(t, l.key)))
	keys := keyset.URL(issuerKeys, keyset.WithRoundTripper(e), keyset.WithLogger(l.logger()))
	t.Cleanup(func() {
		if err := keys.Close(); err != nil {
			t.Error(err)
		}
	})
	return l, l.bearers(keys, payments{})
}

// both makes a call and opens a stream with a token, and wants the same of both.
func both(t testing.TB, what string, l *login, cc *grpc.ClientConn, key *jose.PrivateKey, code codes.Code, want rpcerr.Reason) {
	t.Helper()
	ctx := l.access(t.Context(), key)
	refused(t, what+", unary", quote(ctx, cc), code, want)
	_, err := watch(ctx, cc)
	refused(t, what+", stream", ended(err), code, want)
}

// ended is the error of a stream that may simply have come to its end.
func ended(err error) error {
	if err == io.EOF { //nolint:errorlint // gRPC returns it bare
		return nil
	}
	return err
}

// Whatever the endpoint of an issuer does, one thing after another for more than three hours, no call fails and none
// waits: the last good set is not too old.
func TestAttack51To55IssuerFailsForHours(t *testing.T) {
	status := func(code int, text string, header ...string) response {
		return func(*http.Request) (*http.Response, error) {
			r := answer(text)
			r.StatusCode = code
			for n := 0; n+1 < len(header); n += 2 {
				r.Header.Set(header[n], header[n+1])
			}
			return r, nil
		}
	}
	ways := map[string]response{
		"51 down": func(*http.Request) (*http.Response, error) { return nil, errUnexpected },
		"52 slow": func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		},
		"53 huge":                            publishing(strings.Repeat(" ", 1<<20)),
		"53 10,000 keys":                     publishing(`{"keys":[` + strings.Repeat(`{"kid":"a"},`, 9_999) + `{}]}`),
		"54 redirect to http":                status(302, "", "Location", "http://id.shop.example/jwks"),
		"54 redirect to another":             status(307, "", "Location", "https://evil.example/jwks"),
		"54 redirect to the host's metadata": status(302, "", "Location", "http://169.254.169.254/latest/meta-data"),
		"55 empty set":                       publishing(`{"keys":[]}`),
		"55 HTML":                            publishing(`<!doctype html><title>Sign in</title>`),
		"55 truncated":                       publishing(`{"keys":[{"kty":"OKP",`),
		"55 nothing":                         publishing(``),
		"55 server error":                    status(500, `{"keys":[]}`),
		"56 only bad keys":                   publishing(`{"keys":[{"kty":"oct","kid":"a","k":"AA"},null]}`),
	}
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{}
		l, cc := e.server(t)
		time.Sleep(time.Second)
		both(t, "before", l, cc, l.key, codes.OK, "")
		for name, fails := range ways {
			asked := e.count()
			e.set(fails)
			for began := time.Now(); time.Since(began) < 15*time.Minute; time.Sleep(5 * time.Minute) {
				before := time.Now()
				both(t, name, l, cc, l.key, codes.OK, "")
				if waited := time.Since(before); waited != 0 {
					t.Errorf("%s: the calls waited for %v", name, waited)
				}
			}
			if n := e.count() - asked; n < 10 {
				t.Errorf("%s: it was asked %d times", name, n)
			}
		}
	})
}

// An issuer that is down when the server starts fails calls in a way that tells them to come again, and then no more.
func TestAttack50IssuerIsDownAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{}
		l, cc := e.server(t)
		e.set(func(*http.Request) (*http.Response, error) { return nil, errUnexpected })
		both(t, "at the start", l, cc, l.key, codes.Unavailable, rpcerr.KeysUnavailable)
		e.set(publishing(jwksOf(t, l.key)))
		time.Sleep(30 * time.Second)
		both(t, "when it is back", l, cc, l.key, codes.OK, "")
	})
}

// Bad keys take nothing from a good one beside them, whatever they are called, and of two good keys with one name both
// count.
func TestAttack56And57BadKeysBesideAGoodOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{}
		l, cc := e.server(t)
		twin, other := newKey(t, jose.EdDSA), newKey(t, jose.EdDSA)
		named := strings.Replace(strings.TrimSuffix(jwksOf(t, other)[9:], "]}"), other.Public().KeyID(), twin.Public().KeyID(), 1)
		list := strings.TrimSuffix(jwksOf(t, l.key), "]}")
		second := strings.TrimSuffix(jwksOf(t, twin)[9:], "]}")
		e.set(publishing(list + "," + named + "," + second + "," + strings.Join([]string{
			`{"kty":"OKP","crv":"Ed25519","kid":"short","x":"AA"}`, `{"kty":"OKP","crv":"Ed448","kid":"curve","x":"AA"}`,
			`{"kty":"EC","crv":"P-256","kid":"off","x":"AQ","y":"AQ"}`, `{"kty":"RSA","kid":"weak","n":"AQAB","e":"AQ"}`,
			`{"kty":"AKP","alg":"ML-DSA-44","kid":"new","pub":"AA"}`, `{"kty":"oct","kid":"secret","k":"AA"}`, `null`, `7`,
			`{"kty":"RSA","use":"enc","alg":"RSA-OAEP","kid":"` + l.key.Public().KeyID() + `","n":"AQAB","e":"AQAB"}`,
		}, ",") + "]}"))
		time.Sleep(time.Second)
		both(t, "57 a key whose name another one has", l, cc, twin, codes.OK, "")
		stranger := newKey(t, jose.EdDSA)
		both(t, "57 a key that is not in the set", l, cc, stranger, codes.Unauthenticated, rpcerr.CredentialsInvalid)
		both(t, "56 the good key", l, cc, l.key, codes.OK, "")
	})
}

// A key that nobody has seen is found within the call that brings it.
func TestAttack58NewKeyIsFoundAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{}
		l, cc := e.server(t)
		time.Sleep(time.Minute)
		for n := range 2 {
			key := newKey(t, jose.EdDSA)
			e.set(publishing(jwksOf(t, l.key, key)))
			before, fetches := time.Now(), e.count()
			ctx := l.access(t.Context(), key)
			var err error
			if n == 0 {
				err = quote(ctx, cc)
			} else {
				_, err = watch(ctx, cc)
				err = ended(err)
			}
			if waited := time.Since(before); err != nil || waited >= time.Second || e.count() != fetches+1 {
				t.Errorf("%v after %v and %d fetches", err, waited, e.count()-fetches)
			}
			time.Sleep(11 * time.Second)
		}
	})
}

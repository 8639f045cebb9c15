package keyset_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/keyset"
)

const address = "https://id.shop.example/jwks"

// script is what an endpoint answers.
type script func(*http.Request) (*http.Response, error)

// endpoint is a JWKS endpoint, and the round tripper that leads to it. Its fields change only between requests.
type endpoint struct {
	mu       sync.Mutex
	answer   script
	requests []string
}

func (e *endpoint) RoundTrip(r *http.Request) (*http.Response, error) {
	e.mu.Lock()
	e.requests = append(e.requests, r.URL.String())
	answer := e.answer
	e.mu.Unlock()
	return answer(r)
}

func (e *endpoint) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.requests)
}

func (e *endpoint) set(answer script) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer = answer
}

func (e *endpoint) serve(text string) { e.set(ok(text)) }

func response(status int, body io.Reader, headers ...string) *http.Response {
	h := http.Header{}
	for i := 0; i+1 < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(body)}
}

func ok(text string, headers ...string) script {
	return func(*http.Request) (*http.Response, error) {
		return response(http.StatusOK, strings.NewReader(text), headers...), nil
	}
}

var errDown = errors.New("connection refused")

func down(*http.Request) (*http.Response, error) { return nil, errDown }

// slow answers after d, or when the client has had enough.
func slow(d time.Duration, then script) script {
	return func(r *http.Request) (*http.Response, error) {
		select {
		case <-time.After(d):
			return then(r)
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
}

// bomb is the response that a transport makes of a gzip bomb: size bytes that were a thousandth on the wire.
func bomb(t testing.TB, size int) script {
	t.Helper()
	var wire bytes.Buffer
	z := gzip.NewWriter(&wire)
	if _, err := io.Copy(z, io.LimitReader(blanks{}, int64(size))); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return func(*http.Request) (*http.Response, error) {
		body, err := gzip.NewReader(bytes.NewReader(wire.Bytes()))
		if err != nil {
			return nil, err
		}
		return response(http.StatusOK, body), nil
	}
}

// blanks is white space without end.
type blanks struct{}

func (blanks) Read(b []byte) (int, error) {
	copy(b, " ")
	for n := 1; n < len(b); n *= 2 {
		copy(b[n:], b[:n])
	}
	return len(b), nil
}

// half is a random source with which every jitter is in its middle.
func half() float64 { return 0.5 }

// setup is how a set is made. The zero value is good.
type setup struct {
	maxStale time.Duration
	random   func() float64 // default: half
	changed  func(generation uint64)
}

// start returns the set at the endpoint, started, and closes it at the end of the test.
func start(t testing.TB, e *endpoint, o setup) *keyset.Set {
	t.Helper()
	opts := []keyset.Option{keyset.WithRoundTripper(e)}
	if o.maxStale != 0 {
		opts = append(opts, keyset.WithMaxStale(o.maxStale))
	}
	s := keyset.URL(address, opts...)
	if o.random == nil {
		o.random = half
	}
	keyset.SetRandom(s, o.random)
	if o.changed != nil {
		s.Listen(o.changed)
	}
	s.Start()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// key makes a key and its JWK.
func key(t testing.TB) (*jose.PrivateKey, string) {
	t.Helper()
	k, err := jose.GenerateKey(jose.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	text, err := k.Public().MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	return k, string(text)
}

func kidOf(k *jose.PrivateKey) string { return k.Public().KeyID() }

func jwks(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }

// holds checks that exactly these keys are in force.
func holds(t testing.TB, s *keyset.Set, when string, keys ...*jose.PrivateKey) {
	t.Helper()
	state := s.State()
	want := make(map[string]bool, len(keys))
	for _, k := range keys {
		want[kidOf(k)] = true
	}
	for _, kid := range state.Keys {
		if !want[kid] {
			t.Errorf("%s: key %s is in force", when, kid)
		}
		delete(want, kid)
	}
	for kid := range want {
		t.Errorf("%s: key %s is not in force (error %v, skipped %v)", when, kid, state.Err, state.Skipped)
	}
	for _, k := range keys {
		if _, err := s.Lookup(kidOf(k), jose.EdDSA); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
}

// ready waits for the first set.
func ready(t testing.TB, s *keyset.Set) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.Ready(ctx); err != nil {
		t.Fatal(err)
	}
}

func kid(n int) string { return fmt.Sprintf("kid-%d", n) }

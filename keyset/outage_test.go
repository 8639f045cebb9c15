package keyset_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/keyset"
)

// An endpoint that is down at the start is asked again and again, and what it has to say counts as soon as it is back.
func TestEndpointDownAtStart50(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, text := key(t)
		e := &endpoint{answer: down}
		s := start(t, e, setup{})
		if _, err := s.Await(t.Context(), kidOf(k), jose.EdDSA); !errors.Is(err, keyset.ErrUnavailable) ||
			!errors.Is(err, errDown) {
			t.Errorf("before the first set: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := s.Ready(ctx); !errors.Is(err, keyset.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after an hour: %v", err)
		}
		// The waits are 0.5 s, 1, 2, 4, 8 and from then on 15 s, which is the middle of 30.
		if got, want := e.count(), 1+5+int((time.Hour-15500*time.Millisecond)/(15*time.Second)); got != want {
			t.Errorf("%d requests in an hour, want %d", got, want)
		}
		e.serve(jwks(text))
		back := time.Now()
		ready(t, s)
		if took := time.Since(back); took > 30*time.Second {
			t.Errorf("noticed after %v", took)
		}
		holds(t, s, "back", k)
	})
}

// An endpoint that is down takes no key away until the set is 24 hours old, and then all of them.
func TestEndpointDownForADay51(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, text := key(t)
		e := &endpoint{answer: ok(jwks(text))}
		s := start(t, e, setup{})
		ready(t, s)
		e.set(down)
		time.Sleep(24*time.Hour - 1)
		holds(t, s, "shortly before the end", k)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if _, err := s.Lookup(kidOf(k), jose.EdDSA); !errors.Is(err, keyset.ErrUnavailable) {
			t.Errorf("after 24 hours: %v", err)
		}
	})
}

// Whatever an endpoint does for hours, it takes no key away before the set is too old, and makes nobody wait.
func TestEndpointFailsForHours51(t *testing.T) {
	const maxStale = time.Hour
	_, other := key(t)
	for name, answer := range map[string]script{
		"down 51":           down,
		"slow 52":           slow(30*time.Second, ok(jwks(other))),
		"stalls 52":         func(r *http.Request) (*http.Response, error) { return response(200, stalled{r}), nil },
		"huge 53":           func(*http.Request) (*http.Response, error) { return response(200, blanks{}), nil },
		"gzip bomb 53":      bomb(t, 64<<20),
		"10,000 keys 53":    ok(jwks(strings.Split(strings.Repeat(`{"kid":"a"} `, 10_000), " ")[:10_000]...)),
		"redirect http 54":  redirect(302, "http://id.shop.example/jwks"),
		"redirect other 54": redirect(302, "https://evil.example/jwks"),
		"redirect meta 54":  redirect(302, "http://169.254.169.254/latest/meta-data"),
		"redirect here 54":  redirect(302, address+"/2"),
		"moved to http 54":  redirect(301, "http://id.shop.example/jwks"),
		"moved away 54":     redirect(308, "https://evil.example/jwks"),
		"moved to meta 54":  redirect(308, "http://169.254.169.254/latest/meta-data"),
		"another port 54":   redirect(301, "https://id.shop.example:8443/jwks"),
		"with a name 54":    redirect(301, "https://a:b@id.shop.example/jwks"),
		"empty 55":          ok(`{"keys":[]}`),
		"HTML 55":           ok(`<!doctype html><title>Sign in</title>`),
		"truncated 55":      ok(jwks(other)[:40]),
		"no bytes 55":       ok(""),
		"no keys 55":        ok(`{}`),
		"null 55":           ok(`{"keys":null}`),
		"bytes after it 55": ok(jwks(other) + "x"),
		"two lists 55":      ok(`{"keys":[` + other + `],"Keys":[]}`),
		"error 55":          func(*http.Request) (*http.Response, error) { return response(500, strings.NewReader(jwks(other))), nil },
		"no content 55":     func(*http.Request) (*http.Response, error) { return response(204, strings.NewReader("")), nil },
		"not modified 55":   func(*http.Request) (*http.Response, error) { return response(304, strings.NewReader("")), nil },
		"all bad 56":        ok(jwks(`{"kty":"oct","kid":"a","k":"AA"}`, `null`)),
		"panics":            func(*http.Request) (*http.Response, error) { panic("transport") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k, text := key(t)
				e := &endpoint{answer: ok(jwks(text))}
				s := start(t, e, setup{maxStale: maxStale, random: func() float64 { return 0.99 }}) // which asks seldom
				ready(t, s)
				began := time.Now()
				e.set(answer)
				for time.Since(began) < maxStale-time.Minute {
					before := time.Now()
					if _, err := s.Await(t.Context(), kidOf(k), jose.EdDSA); err != nil || time.Since(before) != 0 {
						t.Fatalf("after %v: %v in %v", time.Since(began), err, time.Since(before))
					}
					time.Sleep(time.Minute)
				}
				holds(t, s, "shortly before the end", k)
				if state := s.State(); state.Err == nil || state.Failures == 0 {
					t.Errorf("nobody is told: %+v", state)
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if _, err := s.Lookup(kidOf(k), jose.EdDSA); !errors.Is(err, keyset.ErrUnavailable) || !s.State().Stale {
					t.Errorf("after %v: %v", maxStale, err)
				}
				e.serve(jwks(text))
				time.Sleep(36 * time.Second)
				holds(t, s, "back", k)
				for _, url := range e.requests {
					if url != address {
						t.Errorf("it was led to %s", url)
					}
				}
			})
		})
	}
}

func redirect(status int, to string) script {
	return func(*http.Request) (*http.Response, error) {
		return response(status, strings.NewReader(""), "Location", to), nil
	}
}

// stalled is a body that never comes.
type stalled struct{ r *http.Request }

func (s stalled) Read([]byte) (int, error) {
	<-s.r.Context().Done()
	return 0, s.r.Context().Err()
}

// A slow endpoint holds nobody up: what is known is there at once, and what is unknown waits for a second.
func TestSlowEndpoint52(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, text := key(t)
		e := &endpoint{answer: ok(jwks(text))}
		s := start(t, e, setup{})
		ready(t, s)
		time.Sleep(time.Minute)
		e.set(slow(30*time.Second, ok(jwks(text))))
		for _, test := range []struct {
			kid      string
			deadline time.Duration
			took     time.Duration
		}{
			{"unknown", time.Minute, time.Second},                       // the fetch is under way, and everybody can wait for it
			{"another", 200 * time.Millisecond, 200 * time.Millisecond}, // but not for longer than the call may take
			{kidOf(k), time.Minute, 0},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), test.deadline)
			before := time.Now()
			_, err := s.Await(ctx, test.kid, jose.EdDSA)
			if took := time.Since(before); took != test.took || (err == nil) != (test.kid == kidOf(k)) {
				t.Errorf("%s: %v after %v, want %v", test.kid, err, took, test.took)
			}
			cancel()
		}
		time.Sleep(5 * time.Second)
		if state := s.State(); !errors.Is(state.Err, context.DeadlineExceeded) {
			t.Errorf("the fetch was not given up after 5 s: %v", state.Err)
		}
	})
}

// No more than the limit is read of a body, however long it is.
func TestHugeBodyIsNotRead53(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var body counting
		e := &endpoint{answer: func(*http.Request) (*http.Response, error) { return response(200, &body), nil }}
		s := start(t, e, setup{})
		synctest.Wait()
		if err := s.State().Err; err == nil || !strings.Contains(err.Error(), "longer than 524288 bytes") {
			t.Error(err)
		}
		if body.read > 512<<10+1 {
			t.Errorf("%d bytes were read", body.read)
		}
	})
}

type counting struct{ read int }

func (c *counting) Read(b []byte) (int, error) {
	n, err := blanks{}.Read(b)
	c.read += n
	return n, err
}

var _ io.Reader = (*counting)(nil)

// A clock that is set forward by days makes the set be read again, and takes its keys away only when that fails.
func TestClockSetForward13_16(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(text string) script
		stays  bool
	}{
		"the endpoint answers":  {func(text string) script { return slow(time.Second, ok(jwks(text))) }, true},
		"the endpoint is down":  {func(string) script { return slow(time.Second, down) }, false},
		"the endpoint is stuck": {func(text string) script { return slow(time.Hour, ok(jwks(text))) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k, text := key(t)
				e := &endpoint{answer: ok(jwks(text))}
				s := keyset.URL(address, keyset.WithRoundTripper(e))
				keyset.SetRandom(s, half)
				var step atomic.Int64
				keyset.SetWall(s, func() time.Time { return time.Now().Round(0).Add(time.Duration(step.Load())) })
				s.Start()
				defer func() { _ = s.Close() }()
				ready(t, s)
				time.Sleep(time.Minute)
				e.set(c.answer(text))
				step.Store(int64(48 * time.Hour))
				time.Sleep(4*time.Minute + 100*time.Millisecond) // until the next reading is under way
				synctest.Wait()
				holds(t, s, "while it is read again", k)
				time.Sleep(6 * time.Second)
				synctest.Wait()
				if _, err := s.Lookup(kidOf(k), jose.EdDSA); (err == nil) != c.stays {
					t.Errorf("after the reading: %v", err)
				}
				if c.stays && s.Generation() != 1 {
					t.Errorf("generation %d", s.Generation())
				}
			})
		})
	}
}

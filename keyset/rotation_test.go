package keyset_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/keyset"
)

// A flood of unknown kids makes the endpoint be asked once in 10 seconds at most, and leaves nothing behind.
func TestUnknownKidFlood47(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, text := key(t)
		e := &endpoint{answer: ok(jwks(text))}
		s := start(t, e, setup{})
		ready(t, s)
		time.Sleep(time.Minute)
		began, before := time.Now(), e.count()
		var all sync.WaitGroup
		for n := range 10_000 {
			all.Go(func() {
				if _, err := s.Await(t.Context(), kid(n), jose.EdDSA); !errors.Is(err, keyset.ErrUnknownKey) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if got := e.count() - before; got != 1 || time.Since(began) != 0 {
			t.Errorf("10,000 kids at once: %d fetches in %v", got, time.Since(began))
		}
		if n := keyset.Remembered(s); n > 1024 {
			t.Errorf("%d kids are remembered", n)
		}
		// The same over a minute: one fetch in 10 seconds, each for a kid that was not asked for before.
		for n := range 10_000 {
			if _, err := s.Await(t.Context(), kid(10_000+n), jose.EdDSA); !errors.Is(err, keyset.ErrUnknownKey) {
				t.Error(err)
			}
			if _, err := s.Await(t.Context(), kidOf(k), jose.EdDSA); err != nil {
				t.Error(err)
			}
			time.Sleep(6 * time.Millisecond)
		}
		if got := e.count() - before; got != 1+5 {
			t.Errorf("10,000 kids in a minute: %d fetches, want 5 more", got-1)
		}
		if n := keyset.Remembered(s); n > 1024 {
			t.Errorf("%d kids are remembered", n)
		}
	})
}

// A kid that was not found causes no other fetch for 30 seconds, but one that appears is found for somebody else.
func TestUnknownKidIsRemembered47(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, text := key(t)
		later, laterText := key(t)
		e := &endpoint{answer: ok(jwks(text))}
		s := start(t, e, setup{})
		ready(t, s)
		ask := func(after time.Duration, kid string, fetches int, want error) {
			t.Helper()
			time.Sleep(after)
			before := e.count()
			if _, err := s.Await(t.Context(), kid, jose.EdDSA); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", kid, err, want)
			}
			if got := e.count() - before; got != fetches {
				t.Errorf("%s: %d fetches, want %d", kid, got, fetches)
			}
		}
		ask(0, kidOf(later), 0, keyset.ErrUnknownKey)
		ask(10*time.Second-1, kidOf(later), 0, keyset.ErrUnknownKey)
		ask(1, kidOf(later), 1, keyset.ErrUnknownKey)
		e.serve(jwks(text, laterText))
		ask(30*time.Second-1, kidOf(later), 0, keyset.ErrUnknownKey)
		ask(1, kidOf(later), 1, nil)
		ask(10*time.Second, "another", 1, keyset.ErrUnknownKey)
		holds(t, s, "at the end", k, later)
	})
}

// A key that appears is found by the first token that it signed, in less than a second.
func TestRotation58(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, text := key(t)
		next, nextText := key(t)
		e := &endpoint{answer: ok(jwks(text))}
		s := start(t, e, setup{})
		ready(t, s)
		time.Sleep(time.Minute)
		e.set(slow(900*time.Millisecond, ok(jwks(text, nextText))))
		began := time.Now()
		if _, err := s.Await(t.Context(), kidOf(next), jose.EdDSA); err != nil || time.Since(began) != 900*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// 500 checks a second while the issuer signs with a new key every 2 seconds, each of which it published 12 seconds
// before: none fails.
func TestRotationUnderLoad(t *testing.T) {
	const (
		interval = 2 * time.Second
		ahead    = 6
		keys     = 15
	)
	synctest.Test(t, func(t *testing.T) {
		var private []*jose.PrivateKey
		var texts []string
		for range keys + ahead {
			k, text := key(t)
			private, texts = append(private, k), append(texts, text)
		}
		began := time.Now()
		e := &endpoint{answer: slow(50*time.Millisecond, func(*http.Request) (*http.Response, error) {
			n := int(time.Since(began) / interval)
			return ok(jwks(texts[max(0, n-2):min(n+ahead, len(texts))]...))(nil)
		})}
		s := start(t, e, setup{})
		ready(t, s)
		began = time.Now()
		var all sync.WaitGroup
		for n := range keys {
			compact, err := private[n].Sign("at+jwt", []byte(`{}`))
			if err != nil {
				t.Fatal(err)
			}
			for range int(interval / (2 * time.Millisecond)) {
				all.Go(func() {
					token, err := jose.Parse(compact, "at+jwt")
					if err != nil {
						t.Error(err)
						return
					}
					signer, err := s.Await(t.Context(), token.KeyID(), jose.EdDSA)
					if err != nil {
						t.Errorf("after %v: %v", time.Since(began), err)
						return
					}
					if _, err := token.Verify(signer[0]); err != nil {
						t.Error(err)
					}
				})
				time.Sleep(2 * time.Millisecond)
			}
		}
		all.Wait()
		if got := e.count(); got > 1+int(keys*interval/(10*time.Second))+1 {
			t.Errorf("%d fetches", got)
		}
	})
}

// A key that is asked for while the very first reading ends is found, whichever of the two is first.
func TestAwaitWhileTheFirstReadingEnds(t *testing.T) {
	k, text := key(t)
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			s := start(t, &endpoint{answer: ok(jwks(text))}, setup{})
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					if _, err := s.Await(t.Context(), kidOf(k), jose.EdDSA); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
		})
	}
}

// A key that is removed is revoked with the next refresh, and one that stays keeps its pointer.
func TestRemovalRevokes59(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stays, staysText := key(t)
		goes, goesText := key(t)
		e := &endpoint{answer: ok(jwks(staysText, goesText), "Cache-Control", "public, max-age=600")}
		changes := make(chan uint64, 10)
		s := start(t, e, setup{changed: func(g uint64) { changes <- g }})
		ready(t, s)
		a, err := s.Lookup(kidOf(stays), jose.EdDSA)
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.Lookup(kidOf(goes), jose.EdDSA)
		if err != nil {
			t.Fatal(err)
		}
		e.serve(jwks(staysText))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if !s.Holds(a[0]) || s.Holds(b[0]) {
			t.Error("the wrong key was revoked, or none")
		}
		if first, second := <-changes, <-changes; first != 1 || second != 2 || s.Generation() != 2 {
			t.Errorf("told of %d and %d, generation %d", first, second, s.Generation())
		}
		// It comes back as another entry: what was tied to the old one stays dead.
		e.serve(jwks(staysText, goesText))
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		holds(t, s, "back", stays, goes)
		if s.Holds(b[0]) {
			t.Error("the old entry lives again")
		}
	})
}

// A key that is invalidated is gone at once, and stays away however often it is published.
func TestInvalidate59(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stays, staysText := key(t)
		goes, goesText := key(t)
		e := &endpoint{answer: ok(jwks(staysText, goesText))}
		var generation uint64
		s := start(t, e, setup{changed: func(g uint64) { generation = g }})
		ready(t, s)
		s.Invalidate(kidOf(goes))
		holds(t, s, "at once", stays)
		synctest.Wait()
		if generation != 2 {
			t.Errorf("told of generation %d", generation)
		}
		time.Sleep(time.Hour)
		holds(t, s, "an hour later", stays)
		s.Invalidate("unheard-of")
	})
}

// The server says when it wants to be asked again, within bounds, and an ETag spares the text.
func TestSchedule(t *testing.T) {
	long := strings.Repeat("9", 30)
	for header, want := range map[string]time.Duration{
		"":                        5 * time.Minute,
		"private":                 5 * time.Minute,
		"no-cache":                time.Minute,
		"no-store":                time.Minute,
		"max-age=junk":            5 * time.Minute,
		"max-age=-5":              5 * time.Minute,
		"max-age=0":               time.Minute,
		"max-age=1":               time.Minute,
		"public, max-age=120":     2 * time.Minute,
		`Max-Age="120"`:           2 * time.Minute,
		"max-age=99999999999":     time.Hour,
		"max-age=" + long:         time.Hour,
		"max-age=86400":           time.Hour,
		"max-age=86400, no-store": time.Minute,
		"max-age=600, max-age=60": 10 * time.Minute,
		"s-maxage=60":             5 * time.Minute,
	} {
		for random, factor := range map[float64]float64{0: 0.9, 0.5: 1} {
			t.Run(fmt.Sprint(header, " ", random), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					k, text := key(t)
					var etags []string
					var at []time.Time
					e := &endpoint{answer: func(r *http.Request) (*http.Response, error) {
						etags, at = append(etags, r.Header.Get("If-None-Match")), append(at, time.Now())
						if r.Header.Get("If-None-Match") == `"v1"` {
							return response(304, strings.NewReader(""), "Cache-Control", header), nil
						}
						return ok(jwks(text), "ETag", `"v1"`, "Cache-Control", header)(r)
					}}
					s := start(t, e, setup{random: func() float64 { return random }})
					time.Sleep(3 * time.Hour)
					synctest.Wait()
					if etags[0] != "" || etags[1] != `"v1"` {
						t.Errorf("If-None-Match: %q", etags)
					}
					for i := range at[1:] {
						if got := at[i+1].Sub(at[i]); got != time.Duration(float64(want)*factor) {
							t.Errorf("asked again after %v, want %v", got, time.Duration(float64(want)*factor))
						}
					}
					holds(t, s, "unchanged for hours", k)
					if s.Generation() != 1 {
						t.Errorf("generation %d", s.Generation())
					}
				})
			})
		}
	}
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, text := key(t)
		e := &endpoint{answer: slow(time.Second, ok(jwks(text)))}
		s := start(t, e, setup{})
		waits := make(chan error)
		go func() {
			_, err := s.Await(t.Context(), kidOf(k), jose.EdDSA)
			waits <- err
		}()
		go func() { waits <- s.Ready(context.Background()) }()
		synctest.Wait()
		for range 2 {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		for range 2 {
			if err := <-waits; !errors.Is(err, keyset.ErrUnavailable) {
				t.Error(err)
			}
		}
		s.Start()
		if err := s.Load(t.Context()); !errors.Is(err, keyset.ErrUnavailable) {
			t.Errorf("Load of a closed set: %v", err)
		}
		if s.Holds(nil) {
			t.Error("no key is held")
		}
	})
}

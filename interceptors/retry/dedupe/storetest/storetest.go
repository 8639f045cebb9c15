// Package storetest checks an implementation of dedupe.Store.
package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/parley-rpc/parley/interceptors/retry/dedupe"
)

// TTL is for how long the cases keep answers. They let it pass in time.Sleep, so a store without I/O is best tested in
// the virtual time of testing/synctest.
const TTL = 200 * time.Millisecond

// Case is one promise of a Store.
type Case struct {
	// Name is the promise.
	Name string
	// Check tests a new, empty store.
	Check func(t *testing.T, s dedupe.Store)
}

// Run checks all promises. Open returns a new, empty store.
func Run(t *testing.T, open func(t *testing.T) dedupe.Store) {
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) { c.Check(t, open(t)) })
	}
}

var (
	key     = dedupe.Key{Caller: "spiffe://shop/orders", Method: "/shop.v1.Shop/Buy", Key: "k1"}
	request = dedupe.Fingerprint{1}
	done    = dedupe.Answer{Reply: []byte("reply"), Status: []byte("status"), Open: true}
)

// Cases are the promises of a Store.
func Cases() []Case {
	return []Case{
		{"an unknown key is claimed", func(t *testing.T, s dedupe.Store) { claim(t, s, key) }},
		{"a finished key has its answer", func(t *testing.T, s dedupe.Store) {
			claim(t, s, key)
			finish(t, s)
			for range 2 {
				answered(t, s)
			}
		}},
		{"a released key is claimed again", func(t *testing.T, s dedupe.Store) {
			claim(t, s, key)
			release(t, s)
			claim(t, s, key)
		}},
		{"caller, method and key tell calls apart", func(t *testing.T, s dedupe.Store) {
			for _, k := range []dedupe.Key{
				key,
				{Method: key.Method, Key: key.Key},
				{Caller: key.Caller, Method: "/shop.v1.Shop/Sell", Key: key.Key},
				{Caller: key.Caller, Method: key.Method, Key: "k2"},
			} {
				claim(t, s, k)
			}
		}},
		{"another request is refused while the first is at work, and after", func(t *testing.T, s dedupe.Store) {
			claim(t, s, key)
			for range 2 {
				if _, claimed, err := s.Claim(t.Context(), key, dedupe.Fingerprint{2}, TTL); claimed ||
					!errors.Is(err, dedupe.ErrReused) {
					t.Fatalf("Claim = %v, %v; want ErrReused", claimed, err)
				}
				finish(t, s)
			}
		}},
		{"duplicates wait for the first, and have its answer", func(t *testing.T, s dedupe.Store) {
			claim(t, s, key)
			results := waiters(t, s, 10)
			finish(t, s)
			for range 10 {
				if r := <-results; r.claimed || r.err != nil || string(r.answer.Reply) != "reply" {
					t.Errorf("a duplicate got %+v, want the answer", r)
				}
			}
		}},
		{"one of the duplicates has the claim that is released", func(t *testing.T, s dedupe.Store) {
			claim(t, s, key)
			results := waiters(t, s, 3)
			release(t, s)
			if r := <-results; !r.claimed || r.err != nil {
				t.Errorf("the first duplicate got %+v, want the claim", r)
			}
			finish(t, s)
			for range 2 {
				if r := <-results; r.claimed || r.err != nil {
					t.Errorf("another duplicate got %+v, want the answer", r)
				}
			}
		}},
		{"a duplicate that gives up has the error of its context", func(t *testing.T, s dedupe.Store) {
			claim(t, s, key)
			ctx, cancel := context.WithTimeout(t.Context(), TTL/10)
			defer cancel()
			if _, claimed, err := s.Claim(ctx, key, request, TTL); claimed || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Claim = %v, %v; want DeadlineExceeded", claimed, err)
			}
			finish(t, s)
			answered(t, s)
		}},
		{"an answer expires", func(t *testing.T, s dedupe.Store) {
			claim(t, s, key)
			pause(t, TTL/2)
			finish(t, s)
			pause(t, TTL*3/4) // from the finish, not from the claim
			answered(t, s)
			pause(t, TTL)
			claim(t, s, key)
		}},
	}
}

type result struct {
	answer  dedupe.Answer
	claimed bool
	err     error
}

// waiters are duplicates. Some may ask only after this returns.
func waiters(t *testing.T, s dedupe.Store, n int) <-chan result {
	results := make(chan result, n)
	for range n {
		go func() {
			a, claimed, err := s.Claim(t.Context(), key, request, TTL)
			results <- result{a, claimed, err}
		}()
	}
	return results
}

func claim(t *testing.T, s dedupe.Store, k dedupe.Key) {
	t.Helper()
	if _, claimed, err := s.Claim(t.Context(), k, request, TTL); !claimed || err != nil {
		t.Fatalf("Claim(%v) = %v, %v; want the claim", k, claimed, err)
	}
}

func finish(t *testing.T, s dedupe.Store) {
	t.Helper()
	if err := s.Finish(t.Context(), key, done, TTL); err != nil {
		t.Fatalf("Finish: %v", err)
	}
}

func release(t *testing.T, s dedupe.Store) {
	t.Helper()
	if err := s.Release(t.Context(), key); err != nil {
		t.Fatalf("Release: %v", err)
	}
}

func answered(t *testing.T, s dedupe.Store) {
	t.Helper()
	a, claimed, err := s.Claim(t.Context(), key, request, TTL)
	if err != nil || claimed || string(a.Reply) != "reply" || string(a.Status) != "status" || !a.Open {
		t.Fatalf("Claim = %+v, %v, %v; want the answer that was finished", a, claimed, err)
	}
}

// pause lets time pass, in a bubble or not.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}

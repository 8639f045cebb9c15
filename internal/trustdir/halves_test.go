package trustdir_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/trustdir"
)

// Each half of the answer counts by itself: a revocation also while trust/ cannot be read.
func TestRevocationWhileTrustIsUnreadable13_16(t *testing.T) {
	for _, place := range []string{"trust", "trust/shop"} {
		t.Run(place, func(t *testing.T) {
			s := newState(t)
			key, other := newKey(t), newKey(t)
			s.put(orders, key)
			s.put(payments, other)
			d := s.checked()
			s.chmod(place, 0o777)
			s.write("revoked/"+key.Thumbprint(), "")
			if err := d.Check(); err == nil {
				t.Fatal("the reading counts as a success")
			}
			if _, err := d.Lookup(key.Thumbprint()); !errors.Is(err, trustdir.ErrRevoked) || d.Current(key.Thumbprint()) {
				t.Errorf("the revoked key: %v", err)
			}
			if !d.Current(other.Thumbprint()) || d.Generation() != 2 {
				t.Errorf("generation %d, the other key is trusted: %v", d.Generation(), d.Current(other.Thumbprint()))
			}
		})
	}
}

// While revoked/ cannot be read, removals count. A new key waits, because it could be a revoked one that comes back.
func TestTrustWhileRevokedIsUnreadable(t *testing.T) {
	s := newState(t)
	stays, goes, revoked, comes := newKey(t), newKey(t), newKey(t), newKey(t)
	s.put(orders, stays)
	s.put(orders, revoked)
	gone := s.put(orders, goes)
	s.write("revoked/"+revoked.Thumbprint(), "")
	d := s.checked()
	s.chmod("revoked", 0o777)
	s.remove(gone)
	s.put(orders, comes)
	if err := d.Check(); err == nil {
		t.Fatal("the reading counts as a success")
	}
	now := func() [4]bool {
		var trusted [4]bool
		for i, key := range []*jose.PublicKey{stays, goes, revoked, comes} {
			trusted[i] = d.Current(key.Thumbprint())
		}
		return trusted
	}
	if got := now(); got != [4]bool{true, false, false, false} {
		t.Errorf("stays, goes, revoked, comes: %v", got)
	}
	s.chmod("revoked", 0o700)
	s.must(d.Check())
	if got := now(); got != [4]bool{true, false, false, true} {
		t.Errorf("readable again: %v", got)
	}
}

// One trust domain's folder that cannot be read takes nothing from another one, and costs it nothing after an hour.
func TestDomainsAreReadApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newState(t)
		broken, removed, sound := newKey(t), newKey(t), newKey(t)
		s.put(orders, broken)
		gone := s.put("spiffe://other/orders", removed)
		s.put("spiffe://other/payments", sound)
		w := s.watch(t)
		w.at(time.Second)
		s.chmod("trust/shop", 0o777)
		s.remove(gone)
		w.at(2 * time.Second)
		if !w.Current(broken.Thumbprint()) || w.Current(removed.Thumbprint()) || !w.Current(sound.Thumbprint()) {
			t.Error("after one reading: not the right keys are trusted")
		}
		w.at(time.Hour - 1)
		if !w.Current(broken.Thumbprint()) {
			t.Error("given up before the hour")
		}
		w.at(time.Hour)
		if _, err := w.Lookup(broken.Thumbprint()); !errors.Is(err, trustdir.ErrUnavailable) {
			t.Errorf("after the hour: %v", err)
		}
		if !w.Current(sound.Thumbprint()) {
			t.Error("the sound folder fell with it")
		}
		synctest.Wait() // for the reading that the look-up asked for
		w.wantChanges(t, 0, 2*time.Second, time.Hour)
	})
}

// A clock that is set forward by hours makes the directory be read, and drops its keys only if that fails.
func TestClockSetForward13_16(t *testing.T) {
	for _, readable := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s := newState(t)
			key := newKey(t)
			s.put(orders, key)
			var step atomic.Int64
			w := &watched{began: time.Now()}
			w.Directory = trustdir.Open(s.dir, trustdir.Options{ValidID: validID, OnChange: func(uint64) {
				w.changes = append(w.changes, time.Since(w.began))
			}})
			w.Clock(func() time.Time {
				if step := time.Duration(step.Load()); step != 0 {
					return time.Now().Round(0).Add(step)
				}
				return time.Now()
			})
			w.Start()
			defer func() { _ = w.Close() }()
			w.at(time.Second)
			step.Store(int64(2 * time.Hour))
			if !readable {
				s.chmod("trust", 0o777)
			}
			w.at(3 * time.Second)
			if w.Current(key.Thumbprint()) != readable {
				t.Errorf("readable %v: the key is trusted: %v", readable, !readable)
			}
			if readable {
				w.wantChanges(t, 0)
			} else {
				w.wantChanges(t, 0, 2*time.Second)
			}
		})
	}
}

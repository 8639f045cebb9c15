package trustdir_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/trustdir"
)

func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newState(t)
		w := s.watch(t)
		key := newKey(t)
		w.at(100 * time.Millisecond)
		s.put(orders, key)
		entry, err := w.Await(t.Context(), key.Thumbprint())
		if took := time.Since(w.began); err != nil || entry.ID != orders || took != 100*time.Millisecond {
			t.Errorf("after %v: %v, %v", took, entry, err)
		}
		entry, err = w.Await(t.Context(), key.Thumbprint())
		if took := time.Since(w.began); err != nil || entry.ID != orders || took != 100*time.Millisecond {
			t.Errorf("a known key took until %v: %v, %v", took, entry, err)
		}
		if _, err = w.Await(t.Context(), "unknown"); !errors.Is(err, trustdir.ErrUnknownKey) {
			t.Errorf("unknown: %v", err)
		}
		if took := time.Since(w.began); took != 1100*time.Millisecond {
			t.Errorf("unknown after %v", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if _, err = w.Await(ctx, "unknown"); !errors.Is(err, trustdir.ErrUnknownKey) ||
			!errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a deadline: %v", err)
		}
		if took := time.Since(w.began); took != 1400*time.Millisecond {
			t.Errorf("deadline after %v", took)
		}
	})
}

func TestAwaitAtStartAndAtClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newState(t)
		key := newKey(t)
		s.put(orders, key)
		d := s.open()
		if _, err := d.Await(t.Context(), key.Thumbprint()); !errors.Is(err, trustdir.ErrUnavailable) {
			t.Errorf("never started: %v", err)
		}
		d.Start()
		if entry, err := d.Await(t.Context(), key.Thumbprint()); err != nil || entry.ID != orders {
			t.Errorf("started: %v, %v", entry, err)
		}
		var waiting sync.WaitGroup
		for range 10 {
			waiting.Go(func() {
				if _, err := d.Await(t.Context(), "unknown"); !errors.Is(err, trustdir.ErrUnavailable) {
					t.Errorf("closed while waiting: %v", err)
				}
			})
		}
		synctest.Wait()
		s.must(d.Close())
		waiting.Wait()
		s.must(d.Close())
		d.Start()
		if _, err := d.Await(t.Context(), key.Thumbprint()); !errors.Is(err, trustdir.ErrUnavailable) {
			t.Errorf("closed: %v", err)
		}
		if err := d.Check(); !errors.Is(err, trustdir.ErrUnavailable) || d.Current(key.Thumbprint()) {
			t.Errorf("checked after the close: %v", err)
		}
	})
}

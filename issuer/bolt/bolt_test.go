package bolt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	bbolt "go.etcd.io/bbolt"
	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/issuer/bolt"
	"github.com/parley-rpc/parley/issuer/store"
	"github.com/parley-rpc/parley/issuer/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, path string) *bolt.Store {
	t.Helper()
	s, err := bolt.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// private returns a folder that the store accepts.
func private(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestStore(t *testing.T) {
	paths := map[store.Store]string{}
	storetest.Run(t, storetest.Harness{
		Open: func(t testing.TB) store.Store {
			path := filepath.Join(private(t), "issuer.db")
			s := open(t, path)
			paths[s] = path
			return s
		},
		Reopen: func(t testing.TB, closed store.Store) store.Store { return open(t, paths[closed]) },
	})
}

// Applies that wait for the disk together are written together.
func TestGroupCommit(t *testing.T) {
	s := open(t, filepath.Join(private(t), "issuer.db"))
	release := bolt.HoldTurn(s)
	const writers = 100
	var wg sync.WaitGroup
	for n := range writers {
		wg.Go(func() {
			c := store.Change{Kind: "replays", Name: fmt.Sprint(n)}
			if n%10 == 9 {
				c.Name = "same"
			}
			if err := s.Apply(t.Context(), c); err != nil && (c.Name != "same" || !errors.Is(err, store.ErrConflict)) {
				t.Error(err)
			}
		})
	}
	bolt.AwaitWaiting(s, writers)
	before := bolt.Writes(s)
	release()
	wg.Wait()
	if n := bolt.Writes(s) - before; n != 1 {
		t.Errorf("%d writes for %d Applies", n, writers)
	}
	list, err := s.List(t.Context(), "replays", "", 2*writers)
	if err != nil || len(list) != 91 {
		t.Errorf("%d records, %v", len(list), err)
	}
}

// An Apply whose context ends while it waits returns, and the others are written.
func TestApplyStopsWaiting(t *testing.T) {
	s := open(t, filepath.Join(private(t), "issuer.db"))
	release := bolt.HoldTurn(s)
	ctx, cancel := context.WithCancel(t.Context())
	errs := make(chan error, 2)
	go func() { errs <- s.Apply(ctx, store.Change{Kind: "a", Name: "1"}) }()
	bolt.AwaitWaiting(s, 1)
	cancel()
	if err := <-errs; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	go func() { errs <- s.Apply(t.Context(), store.Change{Kind: "a", Name: "2"}) }()
	bolt.AwaitWaiting(s, 2)
	release()
	if err := <-errs; err != nil {
		t.Error(err)
	}
}

// Close answers an Apply that waits.
func TestCloseAnswersThoseWhoWait(t *testing.T) {
	s := open(t, filepath.Join(private(t), "issuer.db"))
	release := bolt.HoldTurn(s)
	errs := make(chan error, 2)
	go func() { errs <- s.Apply(t.Context(), store.Change{Kind: "a", Name: "1"}) }()
	bolt.AwaitWaiting(s, 1)
	go func() { errs <- s.Close() }()
	bolt.AwaitClosed(s)
	release()
	first, second := <-errs, <-errs
	if !errors.Is(errors.Join(first, second), store.ErrClosed) || first != nil && second != nil {
		t.Errorf("%v, %v", first, second)
	}
}

// Expired records are removed from the file by later writes.
func TestExpiredRecordsAreRemoved(t *testing.T) {
	s := open(t, filepath.Join(private(t), "issuer.db"))
	for n := range 500 {
		c := store.Change{Kind: "replays", Name: fmt.Sprint(n), Expires: bolt.Past()}
		if err := s.Apply(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if n := bolt.Stored(t, s); n > 70 {
		t.Errorf("%d records and expiries are stored", n)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := private(t)
	write := func(name string, mode os.FileMode, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	whole := filepath.Join(dir, "whole.db")
	if err := open(t, whole).Close(); err != nil {
		t.Fatal(err)
	}
	bytesOf, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "other.db")
	db, err := bbolt.Open(other, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	newer := write("newer.db", 0o600, bytesOf)
	db, err = bbolt.Open(newer, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("parley")).Put([]byte("layout"), []byte("2"))
	}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	held := filepath.Join(dir, "held.db")
	open(t, held)
	public := filepath.Join(dir, "public")
	if err := os.Mkdir(public, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(public, 0o777); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ path, says string }{
		"another process":        {held, "another process"},
		"readable by others":     {write("loose.db", 0o644, bytesOf), "chmod 600"},
		"writable folder":        {filepath.Join(public, "issuer.db"), "may write there"},
		"no bbolt":               {write("text.db", 0o600, bytes.Repeat([]byte("text"), 5000)), "invalid"},
		"empty":                  {write("empty.db", 0o600, nil), "no store of an issuer"},
		"half":                   {write("half.db", 0o600, bytesOf[:len(bytesOf)/8]), "half.db"},
		"another bbolt file":     {other, "no store of an issuer"},
		"a layout of the future": {newer, `layout "2"`},
		"a folder":               {dir, "is a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := bolt.Open(test.path)
			if err == nil {
				_ = s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
}

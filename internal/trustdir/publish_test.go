package trustdir_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/safepath"
	"github.com/parley-rpc/parley/internal/trustdir"
)

func TestPublish(t *testing.T) {
	s := newState(t)
	s.remove("trust")
	key := newKey(t)
	d := s.open()
	for range 2 { // the second time nothing is left to do
		s.must(d.Publish(orders, key))
	}
	s.must(d.Check())
	if entry, err := d.Lookup(key.Thumbprint()); err != nil || entry.ID != orders {
		t.Errorf("published as %v, %v", entry, err)
	}
	files, err := os.ReadDir(s.path("trust/shop"))
	s.must(err)
	if len(files) != 1 || files[0].Name() != "orders."+key.Thumbprint()+".json" {
		t.Errorf("files are %v", files)
	}
	if info, err := files[0].Info(); err != nil || info.Mode().Perm()&0o022 != 0 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestPublishMakesTheDirectory(t *testing.T) {
	s := newState(t)
	dir := s.path("a/b")
	d := trustdir.Open(dir, trustdir.Options{ValidID: validID})
	s.must(d.Enroll(orders, newKey(t)))
	s.must(d.Check())
	info, err := os.Stat(dir)
	s.must(err)
	if info.Mode().Perm() != 0o700 || len(d.Entries()) != 1 {
		t.Errorf("mode %v, entries %v", info.Mode(), d.Entries())
	}
}

func TestPublishRefuses(t *testing.T) {
	s := newState(t)
	key, another := newKey(t), newKey(t)
	s.put(orders, key)
	d := s.checked()
	if err := d.Publish(payments, key); !errors.Is(err, trustdir.ErrAmbiguous) ||
		!strings.Contains(err.Error(), "is the key of "+orders) {
		t.Errorf("the key of another ID: %v", err)
	}
	for _, id := range []string{"", "orders", "spiffe://shop/forbidden", "spiffe://../orders", "spiffe://shop/a/../b"} {
		if err := d.Publish(id, another); err == nil {
			t.Errorf("ID %q is published", id)
		}
	}
	long := "spiffe://shop/" + strings.Repeat("n", 300)
	if err := d.Publish(long, another); err == nil || !strings.Contains(err.Error(), "cannot be written") {
		t.Errorf("long name: %v", err)
	}
	spoilt := fileOf(t, payments, another)
	s.write(spoilt, "{")
	var at *safepath.Error
	if err := d.Publish(payments, another); !errors.As(err, &at) || at.Path != s.path(spoilt) || at.Remedy != "remove it" {
		t.Errorf("bad file in the way: %v", err)
	}
	s.chmod("trust/shop", 0o770)
	if err := d.Publish("spiffe://shop/new", newKey(t)); err == nil || !strings.Contains(err.Error(), "chmod go-w") {
		t.Errorf("folder that others may write to: %v", err)
	}
	if files, err := filepath.Glob(s.path("trust/shop/.*")); err != nil || len(files) != 0 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}

func TestEnrollOnlyWhereTheUserIsAlone(t *testing.T) {
	s := newState(t)
	d := s.open()
	for _, mode := range []os.FileMode{0o755, 0o750, 0o701} {
		s.chmod(".", mode)
		if err := d.Enroll(orders, newKey(t)); err == nil || !strings.Contains(err.Error(), "run: chmod 700 "+s.dir) {
			t.Errorf("mode %04o: %v", mode, err)
		}
		s.must(d.Publish(orders, newKey(t))) // an operator may
	}
	s.chmod(".", 0o700)
	s.must(d.Enroll(orders, newKey(t)))
}

func TestPublishersAtTheSameTime(t *testing.T) {
	s := newState(t)
	s.remove("trust")
	same := newKey(t)
	var all sync.WaitGroup
	for range 8 {
		own := newKey(t)
		all.Go(func() {
			d := s.open()
			if err := d.Publish(orders, same); err != nil {
				t.Error(err)
			}
			if err := d.Publish(payments, own); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	d := s.checked()
	if n := len(d.Entries()); n != 9 || len(d.Skipped()) != 0 {
		t.Errorf("%d entries, skipped %v", n, d.Skipped())
	}
}

func TestFirstStartRaceHasOneWinner(t *testing.T) {
	s := newState(t)
	path := s.path("keys/shop/orders.jwk")
	keys := make([]*jose.PrivateKey, 8)
	var all sync.WaitGroup
	for i := range keys {
		all.Go(func() {
			var err error
			if keys[i], err = trustdir.LoadOrCreateKey(path, jose.EdDSA); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	for _, key := range keys {
		if key.Public().Thumbprint() != keys[0].Public().Thumbprint() {
			t.Errorf("%v and %v", key, keys[0])
		}
	}
	if files, err := os.ReadDir(s.path("keys/shop")); err != nil || len(files) != 1 {
		t.Errorf("files %v, %v", files, err)
	}
}

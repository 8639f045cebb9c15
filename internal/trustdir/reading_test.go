package trustdir_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/trustdir"
)

func TestLookup(t *testing.T) {
	s := newState(t)
	one, two, deep := newKey(t), newKey(t), newKey(t)
	s.put(orders, one)
	s.put(orders, two)
	s.put("spiffe://other.example/ns/pay_ments", deep)
	d := s.checked()
	for kid, want := range map[string]string{
		one.Thumbprint(): orders, two.Thumbprint(): orders, deep.Thumbprint(): "spiffe://other.example/ns/pay_ments",
	} {
		entry, err := d.Lookup(kid)
		if err != nil || entry.ID != want || entry.Key.Thumbprint() != kid || !d.Current(kid) {
			t.Errorf("%s is %v, %v", kid, entry, err)
		}
	}
	for _, kid := range []string{"", "x", newKey(t).Thumbprint(), "../../dev/null"} {
		if entry, err := d.Lookup(kid); !errors.Is(err, trustdir.ErrUnknownKey) || entry.Key != nil || d.Current(kid) {
			t.Errorf("%q is %v, %v", kid, entry, err)
		}
	}
	if entries := d.Entries(); len(entries) != 3 || entries[0].ID != "spiffe://other.example/ns/pay_ments" ||
		entries[2].ID != orders {
		t.Errorf("entries are %v", entries)
	}
}

func TestDeletionRevokes(t *testing.T) {
	s := newState(t)
	key := newKey(t)
	entry := s.put(orders, key)
	d := s.checked()
	s.remove(entry)
	s.must(d.Check())
	if _, err := d.Lookup(key.Thumbprint()); !errors.Is(err, trustdir.ErrUnknownKey) {
		t.Errorf("err = %v", err)
	}
}

func TestRevokedWinsOverRecreation(t *testing.T) {
	s := newState(t)
	key := newKey(t)
	entry := s.put(orders, key)
	s.write("revoked/"+key.Thumbprint(), "")
	d := s.checked()
	revoked := func(when string) {
		t.Helper()
		if _, err := d.Lookup(key.Thumbprint()); !errors.Is(err, trustdir.ErrRevoked) || d.Current(key.Thumbprint()) {
			t.Errorf("%s: err = %v", when, err)
		}
	}
	revoked("at once")
	s.remove(entry)
	s.must(d.Check())
	revoked("deleted")
	s.put(orders, key)
	s.must(d.Check())
	revoked("written again")
	if err := d.Publish(orders, key); !errors.Is(err, trustdir.ErrRevoked) {
		t.Errorf("publish: %v", err)
	}
	s.remove("revoked/" + key.Thumbprint())
	s.must(d.Check())
	if !d.Current(key.Thumbprint()) {
		t.Error("the revocation was taken back, and the key is still revoked")
	}
}

func TestRevocationThatNamesNoKeyIsNoticed(t *testing.T) {
	s := newState(t)
	key := newKey(t)
	s.put(orders, key)
	s.write("revoked/"+key.Thumbprint()+".json", "")
	s.skips(map[string]string{"revoked/" + key.Thumbprint() + ".json": "revokes nothing"})
}

func TestKeyOfTwoIDsIsRefusedForBoth(t *testing.T) {
	s := newState(t)
	key, other := newKey(t), newKey(t)
	s.put(orders, key)
	second := s.put("spiffe://another/orders", key)
	s.put(payments, other)
	d := s.checked()
	if _, err := d.Lookup(key.Thumbprint()); !errors.Is(err, trustdir.ErrAmbiguous) || d.Current(key.Thumbprint()) {
		t.Errorf("err = %v", err)
	}
	if !d.Current(other.Thumbprint()) {
		t.Error("the other key fell with it")
	}
	s.remove(second)
	s.must(d.Check())
	if entry, err := d.Lookup(key.Thumbprint()); err != nil || entry.ID != orders {
		t.Errorf("alone again it is %v, %v", entry, err)
	}
}

func TestBadFilesAreSkippedAndNamed(t *testing.T) {
	s := newState(t)
	good := newKey(t)
	s.put(orders, good)
	broken, large, private := fileOf(
		t,
		payments,
		newKey(t),
	), fileOf(
		t,
		"spiffe://shop/large",
		newKey(t),
	), fileOf(
		t,
		"spiffe://shop/private",
		newKey(t),
	)
	s.write(broken, "{")
	s.write(large, strings.Repeat(" ", 16<<10)+"{}")
	s.write(private, `{"id":"spiffe://shop/private","jwk":{"kty":"oct","k":"AA"}}`)
	s.write("trust/shop/README", "")
	s.write("trust/shop/.hidden", "")
	s.write("trust/.hidden", "")
	s.write("trust/stray.json", "")
	s.mkdir("trust/shop/folder.json", 0o700)
	s.mkdir("trust/sh op", 0o700)
	s.mkdir("keys", 0o777) // not ours
	s.skips(map[string]string{
		broken: "no strict JSON object", large: "larger than 16384 bytes", private: "secret",
		"trust/shop/README": "is not called", "trust/stray.json": "is no folder", "trust/shop/folder.json": "is no regular file", "trust/sh op": "is no folder",
	})
	if entries := s.checked().Entries(); len(entries) != 1 || entries[0].Key.Thumbprint() != good.Thumbprint() {
		t.Errorf("entries are %v", entries)
	}
}

func TestFileOfExactlyTheLargestSize(t *testing.T) {
	s := newState(t)
	key := newKey(t)
	text := textOf(t, orders, key)
	s.write(fileOf(t, orders, key), text+strings.Repeat(" ", 16<<10-len(text)))
	s.skips(nil)
}

func TestGenerationCountsChangesOfTheSet(t *testing.T) {
	s := newState(t)
	d := s.open()
	want := func(generation uint64, when string) {
		t.Helper()
		_ = d.Check()
		if got := d.Generation(); got != generation {
			t.Errorf("%s: generation %d, want %d", when, got, generation)
		}
	}
	if d.Generation() != 0 {
		t.Error("a generation before the first reading")
	}
	key, other := newKey(t), newKey(t)
	want(1, "empty")
	want(1, "unchanged")
	entry := s.put(orders, key)
	want(2, "key added")
	s.put(payments, other)
	want(3, "second key added")
	s.write(entry, " "+textOf(t, orders, key))
	want(3, "same key, other text")
	s.write("revoked/"+newKey(t).Thumbprint(), "")
	want(3, "unknown key revoked")
	s.chmod("trust", 0o777)
	want(3, "unreadable")
	s.chmod("trust", 0o700)
	want(3, "readable again")
	s.write(entry, "{")
	want(4, "key spoilt")
	s.write("revoked/"+other.Thumbprint(), "")
	want(5, "key revoked")
	s.must(d.Close())
	if got := d.Generation(); got != 6 {
		t.Errorf("closed: generation %d", got)
	}
}

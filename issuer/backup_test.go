package issuer_test

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/issuer"
	"github.com/parley-rpc/parley/issuer/store"
)

const backupHead = "{\"parley_issuer_backup\":1,\"at\":\"2026-01-01T00:00:00Z\"}\n"

// A backup has everything, and a state that is restored from it is the same.
func TestBackup(t *testing.T) {
	s, state := storedShop(t, store.NewMemory())
	form := s.ownForm()
	s.token(t, s.post(form), "at+jwt")
	if _, err := state.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := state.Revoke(t.Context(), issuer.Revocation{Client: orders}); err != nil {
		t.Fatal(err)
	}
	var copied bytes.Buffer
	if err := state.Backup(t.Context(), &copied); err != nil {
		t.Fatal(err)
	}
	keys := s.keys.State()
	records := store.NewMemory()
	made, err := issuer.Restore(t.Context(), bytes.NewReader(copied.Bytes()), records)
	if err != nil || made.IsZero() {
		t.Fatal(err)
	}
	restored := s.restart(records)
	if !reflect.DeepEqual(restored.Keys().State(), keys) {
		t.Errorf("got %v, want %v", restored.Keys().State(), keys)
	}
	s.refuses(t, s.post(form), 400, "invalid_client")
	s.refuses(t, s.post(s.formWith(sign(t, s.orders, assertionType, honest(orders)))), 400, "invalid_client")
	s.token(t, s.post(s.ownForm()), "at+jwt")
	_, err = issuer.Restore(t.Context(), &copied, records)
	if err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("restored over a state: %v", err)
	}
}

// A backup that was cut short, damaged or extended is not restored, not even in part.
func TestDamagedBackup(t *testing.T) {
	_, state := storedShop(t, store.NewMemory())
	var b bytes.Buffer
	if err := state.Backup(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	refuse := func(what string, text []byte) {
		t.Helper()
		records := store.NewMemory()
		if _, err := issuer.Restore(t.Context(), bytes.NewReader(text), records); err == nil {
			t.Errorf("%s was restored", what)
		}
		for r, err := range records.Snapshot(t.Context()) {
			t.Errorf("%s: %s was written, %v", what, r.Name, err)
		}
	}
	for n := range len(whole) - 1 { // without the last newline it is whole
		refuse(fmt.Sprintf("a backup of %d bytes", n), whole[:n])
	}
	for n := 0; n < len(whole)-1; n += 7 {
		damaged := bytes.Clone(whole)
		damaged[n] ^= 1
		refuse(fmt.Sprintf("a backup with byte %d damaged", n), damaged)
	}
	refuse("a backup with something behind", append(bytes.Clone(whole), whole...))
	refuse("two lines", []byte(backupHead+"{\"records\":0,\"sha256\":\"\"}\n"))
	refuse("a backup of the future", bytes.Replace(whole, []byte(`backup":1`), []byte(`backup":2`), 1))
}

// A restore that was killed leaves no state that opens.
func TestRestoreThatWasKilled(t *testing.T) {
	_, state := storedShop(t, store.NewMemory())
	var b bytes.Buffer
	if err := state.Backup(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	for last := 1; ; last++ {
		records, left := store.NewMemory(), last
		mortal := &faulty{Store: records, after: func() error {
			if left--; left <= 0 {
				return errKilled
			}
			return nil
		}}
		_, err := issuer.Restore(t.Context(), bytes.NewReader(b.Bytes()), mortal)
		_, opened := issuer.OpenState(t.Context(), records, sealed())
		if err == nil {
			if opened != nil {
				t.Error(opened)
			}
			return
		}
		if _, format := records.Get(t.Context(), "meta", "format"); format != nil && opened == nil {
			t.Errorf("a state opened whose restore was killed after %d writes", last)
		}
	}
}

// FuzzBackup asks that no text makes Restore panic, and that what it restores can be copied again.
func FuzzBackup(f *testing.F) {
	f.Add([]byte(""))
	f.Add([]byte(backupHead + "{\"kind\":\"keys\",\"name\":\"YQ==\",\"value\":\"\"}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		records := store.NewMemory()
		if _, err := issuer.Restore(t.Context(), bytes.NewReader(text), records); err != nil {
			return
		}
		_, err := issuer.OpenState(t.Context(), records, sealed())
		if err != nil && strings.Contains(err.Error(), "incomplete") {
			t.Error(err)
		}
	})
}

// FuzzRecords asks that no record makes the state panic, and that it opens no key that the key service does not have.
func FuzzRecords(f *testing.F) {
	f.Add([]byte(`{"keys":[{"jwk":{"kty":"OKP"},"handle":"AA==","known":"2026-01-01T00:00:00Z"}]}`),
		[]byte(`{"jwks":{"keys":[]},"own":{"audiences":["a"]},"users":{},"claims":{"a":1,"b":["c"]}}`),
		[]byte(`{"kid":"a","at":"2026-01-01T00:00:00Z"}`))
	f.Fuzz(func(t *testing.T, plan, client, revocation []byte) {
		records := store.NewMemory()
		if err := records.Apply(t.Context(), store.Change{Kind: "meta", Name: "format", Value: []byte("1")},
			store.Change{Kind: "keys", Name: "plan", Value: plan}, store.Change{Kind: "clients", Name: edge, Value: client},
			store.Change{Kind: "revocations", Name: "00000000000000000001", Value: revocation}); err != nil {
			return
		}
		if _, err := issuer.OpenState(t.Context(), records, sealed()); err == nil {
			t.Error("a key was opened that nobody made")
		}
		if err := issuer.ReadClient(client); err != nil {
			return
		}
	})
}

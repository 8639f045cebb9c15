package issuer_test

import (
	"net/http"
	"path/filepath"
	"testing"

	"github.com/parley-rpc/parley/issuer"
	"github.com/parley-rpc/parley/issuer/bolt"
)

// BenchmarkLogin is a token in a service's own name: two signatures that are made, that of the service included, and
// one that is checked.
func BenchmarkLogin(b *testing.B) {
	s := newShop(b, issuer.WithRate(1_000_000, 1_000_000), issuer.WithLogger(nil))
	b.ReportAllocs()
	for b.Loop() {
		if r := s.post(s.ownForm()); r.status != http.StatusOK {
			b.Fatalf("%d %v", r.status, r.members)
		}
	}
}

// BenchmarkStoredLogin is the same with a state in a file, for clients that ask at the same time: each answer waits for
// the disk, and those that wait together are written together.
func BenchmarkStoredLogin(b *testing.B) {
	records, err := bolt.Open(filepath.Join(crashDir(b), "issuer.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = records.Close() }()
	s := newShop(b)
	state := openState(b, records)
	if err := state.Clients().Register(b.Context(), s.edgeClient(), ""); err != nil {
		b.Fatal(err)
	}
	s.keys, s.registry = state.Keys(), state.Clients()
	s.open(issuer.WithState(state), issuer.WithRate(1_000_000, 1_000_000), issuer.WithLogger(nil))
	b.SetParallelism(16)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if r := s.post(s.ownForm()); r.status != http.StatusOK {
				b.Errorf("%d %v", r.status, r.members)
			}
		}
	})
}

// BenchmarkStranger is what somebody costs who signs for a service with another key.
func BenchmarkStranger(b *testing.B) {
	s := newShop(b)
	forged := sign(b, s.edge, assertionType, honest(edge))
	form := s.formWith(forged[:len(forged)-86] + sign(b, s.orders, assertionType, honest(edge))[len(forged)-86:])
	b.ReportAllocs()
	for b.Loop() {
		if r := s.post(form); r.text("error") != "invalid_client" {
			b.Fatalf("%d %v", r.status, r.members)
		}
	}
}

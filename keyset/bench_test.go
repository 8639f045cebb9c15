package keyset_test

import (
	"testing"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/keyset"
)

// A look-up takes no memory.
func TestLookupDoesNotAllocate(t *testing.T) {
	k, text := key(t)
	s := keyset.Static([]byte(jwks(text)))
	if err := s.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	kid := kidOf(k)
	if n := testing.AllocsPerRun(100, func() {
		found, err := s.Await(t.Context(), kid, jose.EdDSA)
		if err != nil || len(found) != 1 || !s.Holds(found[0]) {
			t.Error(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkLookup(b *testing.B) {
	k, text := key(b)
	s := keyset.Static([]byte(jwks(text)))
	if err := s.Load(b.Context()); err != nil {
		b.Fatal(err)
	}
	kid := kidOf(k)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Lookup(kid, jose.EdDSA); err != nil {
				b.Error(err)
			}
		}
	})
}

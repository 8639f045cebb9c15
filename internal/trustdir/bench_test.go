package trustdir_test

import "testing"

func BenchmarkLookup(b *testing.B) {
	s := newState(b)
	key := newKey(b)
	s.put(orders, key)
	d := s.checked()
	kid := key.Thumbprint()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Lookup(kid); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRead is one reading of a directory with 100 keys that have not changed.
func BenchmarkRead(b *testing.B) {
	s := newState(b)
	for range 100 {
		s.put(orders, newKey(b))
	}
	d := s.checked()
	b.ReportAllocs()
	for b.Loop() {
		s.must(d.Check())
	}
}

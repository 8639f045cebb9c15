package trustdir_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

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

// BenchmarkUnchanged is one reading of a directory whose keys have not changed, and the share of a core that a reading
// every 2 seconds takes. The bar is 0.2 % for 10,000 keys.
func BenchmarkUnchanged(b *testing.B) {
	for _, keys := range []int{100, 1000, 10000} {
		b.Run(fmt.Sprint(keys), func(b *testing.B) {
			s := newState(b)
			for i := range keys {
				s.put(fmt.Sprintf("spiffe://shop/orders-%d", i), newKey(b))
			}
			d := s.settled()
			b.ReportAllocs()
			began := processorTime(b)
			for b.Loop() {
				s.must(d.Check())
			}
			each := (processorTime(b) - began) / time.Duration(b.N)
			b.ReportMetric(100*each.Seconds()/(2*time.Second).Seconds(), "%core")
		})
	}
}

// BenchmarkChanged is one reading after a key was added to 10,000.
func BenchmarkChanged(b *testing.B) {
	s := newState(b)
	for i := range 10000 {
		s.put(fmt.Sprintf("spiffe://shop/orders-%d", i), newKey(b))
	}
	d := s.settled()
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		s.put(orders, newKey(b))
		b.StartTimer()
		s.must(d.Check())
	}
}

// processorTime is what this process has used so far. Other processes do not count, as they do in the time that passes.
func processorTime(b *testing.B) time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

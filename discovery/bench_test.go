package discovery_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/parley-rpc/parley/discovery"
)

const many = 1000

// fleet returns many instances as an engine lists them, the first of which has the given weight.
func fleet(weight uint32) []discovery.Instance {
	list := make([]discovery.Instance, 0, many)
	for i := range many {
		addr := fmt.Sprintf("10.0.%d.%d:8443", i>>8, i&255)
		list = append(list, discovery.Instance{ID: addr, Service: "payments", Addresses: []string{addr}, Zone: "b"})
	}
	list[0].Weight = weight
	return list
}

// BenchmarkUpdate1000 is the time between the engine's list of 1,000 instances, one of them changed, and a user's sight
// of it.
func BenchmarkUpdate1000(b *testing.B) {
	s := newStage()
	seen := make(chan struct{})
	cancel := open(b, s, discovery.WithDebounce(0, 0)).Subscribe("payments", func(discovery.State) { seen <- struct{}{} })
	lists := [][]discovery.Instance{fleet(1), fleet(2)}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		s.lists <- lists[i%2]
		<-seen
		i++
	}
	cancel()
}

// BenchmarkSame1000 is the cost of a list of 1,000 instances in which nothing has changed.
func BenchmarkSame1000(b *testing.B) {
	s := newStage()
	cancel := open(b, s).Subscribe("payments", func(discovery.State) {})
	list := fleet(1)
	b.ReportAllocs()
	for b.Loop() {
		s.lists <- list
	}
	cancel()
}

// BenchmarkMemory1000 reports the memory that a Registry uses for each of 1,000 instances.
func BenchmarkMemory1000(b *testing.B) {
	var before, after runtime.MemStats
	var kept uint64
	for b.Loop() {
		s := newStage()
		seen := make(chan struct{}, 1)
		r := open(b, s)
		cancel := r.Subscribe("payments", func(discovery.State) { seen <- struct{}{} })
		runtime.GC()
		runtime.ReadMemStats(&before)
		s.lists <- fleet(1)
		<-seen
		runtime.GC()
		runtime.ReadMemStats(&after)
		kept = after.HeapAlloc - before.HeapAlloc
		cancel()
	}
	b.ReportMetric(float64(kept)/many, "B/instance")
}

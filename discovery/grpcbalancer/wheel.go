package grpcbalancer

import (
	"math"
	"sort"
	"sync/atomic"

	"google.golang.org/grpc/balancer"
)

// spoke is an instance and its part of a wheel.
type spoke struct {
	picker balancer.Picker
	weight float64
	end    uint32 // where its part of the wheel ends
}

// wheel picks instances in proportion to their weights. Each pick advances by the golden ratio of the whole wheel.
// These steps are evenly distributed, so that even a few picks follow the weights (Knuth, The Art of Computer
// Programming, volume 3, section 6.4).
type wheel struct {
	spokes []spoke
	at     atomic.Uint32
}

// step is the whole wheel, 2^32, divided by the golden ratio.
const step = 2654435769

func newWheel(spokes []spoke) *wheel {
	var total, sum float64
	for _, s := range spokes {
		total += s.weight
	}
	for i := range spokes {
		sum += spokes[i].weight
		spokes[i].end = uint32(min(sum/total*(1<<32), math.MaxUint32))
	}
	spokes[len(spokes)-1].end = math.MaxUint32
	return &wheel{spokes: spokes}
}

// scaled returns the spokes with their weights scaled to the sum to.
func scaled(spokes []spoke, to float64) []spoke {
	var total float64
	for _, s := range spokes {
		total += s.weight
	}
	list := make([]spoke, len(spokes))
	for i, s := range spokes {
		list[i] = spoke{picker: s.picker, weight: s.weight / total * to}
	}
	return list
}

func (w *wheel) next() balancer.Picker {
	at := w.at.Add(step)
	return w.spokes[sort.Search(len(w.spokes)-1, func(i int) bool { return at < w.spokes[i].end })].picker
}

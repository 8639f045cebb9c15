package discovery

import (
	"cmp"
	"slices"
	"time"
)

// losses are the instances of a service that have vanished lately though they did not drain. Who leaves on purpose drains
// first; what just vanishes has died, or the engine has lost its leases, or shows a part of what it knows. A single death
// is likely, and that of most instances is not: then the engine is wrong.
//
// Whatever makes leases run out does not make them run out in the same instant, and so losses add up for a time.
type losses struct{ list []loss }

type loss struct {
	instance Instance
	at       time.Time
}

// note compares two lists of an engine, each sorted by ID. An instance that comes is put in the place of one that vanished,
// as when instances are replaced. All that vanished is kept while forgetting is false.
func (l *losses) note(before, now []Instance, forgetting bool) {
	at := time.Now()
	for _, in := range before {
		if _, stays := find(now, in.ID); !stays && !in.Draining {
			l.list = append(l.list, loss{in, at})
		}
	}
	if len(l.list) == 0 {
		return
	}
	arrivals := 0
	for _, in := range now {
		_, known := find(before, in.ID)
		if !known && !l.remove(in.ID) {
			arrivals++
		}
	}
	l.list = l.list[min(arrivals, len(l.list)):]
	if forgetting {
		l.list = slices.DeleteFunc(l.list, func(x loss) bool { return at.Sub(x.at) > lossWindow })
	}
}

// remove takes an instance out that is back, and tells whether it was there.
func (l *losses) remove(id string) bool {
	n := len(l.list)
	l.list = slices.DeleteFunc(l.list, func(x loss) bool { return x.instance.ID == id })
	return len(l.list) < n
}

// most tells whether more instances vanished than left are.
func (l *losses) most(left []Instance) bool { return len(l.list) > len(left) }

// join returns what is left and what vanished, sorted by ID.
func (l *losses) join(left []Instance) []Instance {
	all := slices.Clone(left)
	for _, x := range l.list {
		all = append(all, x.instance)
	}
	slices.SortFunc(all, func(a, b Instance) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

func (l *losses) forget() { l.list = nil }

// find looks an instance up in a list that is sorted by ID.
func find(list []Instance, id string) (int, bool) {
	return slices.BinarySearchFunc(list, id, func(in Instance, id string) int { return cmp.Compare(in.ID, id) })
}

package discovery

import (
	"cmp"
	"slices"
	"time"
)

// losses are the instances of a service that vanished recently without draining first. A planned stop drains first. An
// instance that vanishes without draining has died, or the engine has lost its lease, or the engine lists only a part
// of its instances. The death of one instance is likely. The death of most instances is not: then the engine is
// probably wrong.
//
// Leases that were lost at the same time do not expire at the same moment, so losses are added up over lossWindow.
type losses struct{ list []loss }

type loss struct {
	instance Instance
	at       time.Time
}

// note compares two lists of an engine, each sorted by ID. A new instance replaces one that vanished, as in a rolling
// update. While forgetting is false, losses are kept for longer than lossWindow.
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

// remove removes an instance that is back, and reports whether it was lost.
func (l *losses) remove(id string) bool {
	n := len(l.list)
	l.list = slices.DeleteFunc(l.list, func(x loss) bool { return x.instance.ID == id })
	return len(l.list) < n
}

// most reports whether more instances vanished than are left.
func (l *losses) most(left []Instance) bool { return len(l.list) > len(left) }

// join returns the remaining and the vanished instances, sorted by ID.
func (l *losses) join(left []Instance) []Instance {
	all := slices.Clone(left)
	for _, x := range l.list {
		all = append(all, x.instance)
	}
	slices.SortFunc(all, func(a, b Instance) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

func (l *losses) forget() { l.list = nil }

// find looks up an instance in a list sorted by ID.
func find(list []Instance, id string) (int, bool) {
	return slices.BinarySearchFunc(list, id, func(in Instance, id string) int { return cmp.Compare(in.ID, id) })
}

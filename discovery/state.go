package discovery

import (
	"cmp"
	"slices"
	"time"
)

// State is what a Registry knows about one service. A State is shared: do not modify its Instances.
type State struct {
	// Instances are the instances to call, sorted by ID: the last list that the engine vouched for.
	Instances []Instance
	// Known reports whether the engine has answered at least once, to this process or to an earlier one that left a file
	// (see [WithLastKnownGood]). Until then Instances is empty because nothing is known.
	Known bool
	// Held reports whether Instances still contains instances that the engine suddenly no longer lists. See [WithHold].
	Held bool
	// Err says why nothing is known, or why Instances may be out of date. It is nil while the engine vouches for them.
	Err error
	// StaleSince is the time since which the engine has not vouched for Instances. It is zero while the engine vouches for
	// them, and while nothing is known.
	StaleSince time.Time
}

// usable returns the usable instances of a list, sorted by ID: those of the service that have addresses, one for each
// ID. It does not change the list.
func usable(service string, list []Instance) []Instance {
	kept := make([]Instance, 0, len(list))
	for _, in := range list {
		if in.Service == service && in.ID != "" && len(in.Addresses) > 0 && !slices.Contains(in.Addresses, "") {
			kept = append(kept, in)
		}
	}
	byID := func(a, b Instance) int { return cmp.Compare(a.ID, b.ID) }
	slices.SortStableFunc(kept, byID)
	return slices.CompactFunc(kept, func(a, b Instance) bool { return a.ID == b.ID })
}

// callable returns the instances that do not drain, or all when every one drains.
func callable(list []Instance) []Instance {
	drains := func(in Instance) bool { return in.Draining }
	if !slices.ContainsFunc(list, drains) {
		return list
	}
	staying := slices.DeleteFunc(slices.Clone(list), drains)
	if len(staying) == 0 {
		return list
	}
	return staying
}

func sameInstances(a, b []Instance) bool {
	return slices.EqualFunc(a, b, Instance.Equal)
}

package discovery

import (
	"cmp"
	"slices"
	"time"
)

// State is the state of one service in a Registry. It is shared: do not modify its Instances.
type State struct {
	// Instances are the instances to call, sorted by ID: the last list that the engine vouched for.
	Instances []Instance
	// Known reports whether the engine has answered at least once, to this process or to an earlier one that left a file
	// (see [WithLastKnownGood]). If Known is false, Instances is empty and the service may still have instances.
	Known bool
	// Held reports whether Instances contains instances that suddenly disappeared from the engine's list. See [WithHold].
	Held bool
	// Err is the reason why Known is false or Instances may be out of date. It is nil while the engine vouches for
	// Instances.
	Err error
	// StaleSince is the time since which the engine has not vouched for Instances. It is zero while the engine vouches for
	// them, and while Known is false.
	StaleSince time.Time
}

// usable returns the instances of the service that have addresses, one for each ID, sorted by ID. It does not modify
// the list.
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

// callable returns the instances that do not drain, or all instances if all of them drain.
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

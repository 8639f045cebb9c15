package discovery

import (
	"cmp"
	"slices"
	"time"
)

// State is what a Registry knows of one service. States are shared: nobody may change what is in one.
type State struct {
	// Instances are the ones to call, sorted by ID. They are the last that the engine vouched for.
	Instances []Instance
	// Known tells that the engine has answered at least once, or did so for an earlier process that left a file (see
	// [WithLastKnownGood]). Until then Instances are empty because nobody knows.
	Known bool
	// Held tells that the engine suddenly lists nothing, or has lost more instances than are left, and that those of before
	// are still among Instances. See [WithHold].
	Held bool
	// Err is why nothing is known, or why Instances may be out of date; nil while the engine vouches for them.
	Err error
	// StaleSince is when the engine ceased to vouch for Instances; zero while it does or while nothing is known.
	StaleSince time.Time
}

// readable returns what can be used of a list: instances of the service, with addresses, one for each ID, sorted by ID.
// The list itself stays as it is.
func readable(service string, list []Instance) []Instance {
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

// callable returns the instances of a list to call: those that do not drain, or all when every one drains.
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

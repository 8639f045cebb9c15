package auth

import "time"

// KeySetState is a [KeySet] as an operator sees it.
type KeySetState struct {
	// Source is where the keys come from.
	Source string
	// Generation counts the changes of the keys.
	Generation uint64
	// Keys are the kids of the keys that are in force, sorted.
	Keys []string
	// Skipped are the keys that the latest reading did not believe.
	Skipped []SkippedKey
	// Read is when the source last confirmed the keys. It is zero when it never did.
	Read time.Time
	// Ends is when the keys are too old, unless the source confirms them again. It is zero when they never are.
	Ends time.Time
	// Stale says that they are too old, and that credentials are refused for it.
	Stale bool
	// Err is the error of the latest reading, or nil. The keys of an earlier one may still be in force.
	Err error
	// Fetches counts the readings.
	Fetches uint64
	// Failures counts those of them that failed.
	Failures uint64
}

// SkippedKey is a key of a set that is not believed.
type SkippedKey struct {
	// Key is its kid, or its place in the set when it has none that can be shown.
	Key string
	// Err says why.
	Err error
	// Alarm says that somebody should look at it now: secret material was published, or two keys share a kid.
	Alarm bool
}

// State returns the state of the set.
func (k *KeySet) State() KeySetState {
	if k.set == nil {
		return KeySetState{Err: k.flaw}
	}
	s := k.set.State()
	state := KeySetState{
		Source: s.Source, Generation: s.Generation, Keys: s.Keys, Read: s.Read, Ends: s.Ends, Stale: s.Stale, Err: s.Err,
		Fetches: s.Fetches, Failures: s.Failures,
	}
	for _, skipped := range s.Skipped {
		state.Skipped = append(state.Skipped, SkippedKey(skipped))
	}
	return state
}

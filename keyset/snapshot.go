package keyset

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
)

// snapshot is the set at one time. It never changes. As long as a key stays in the set its pointer is the same, so that
// whatever was found to be signed by it can be tied to the pointer.
type snapshot struct {
	generation uint64
	keys       keysByID
	skipped    []Skipped // by the latest reading that could be taken apart
	version    string
	good       time.Time // when the source last confirmed the keys; zero means never
	ends       time.Time // when the keys are too old; zero means never
	expires    time.Time // the end that the set has by itself
	stale      bool
	closed     bool
	err        error // of the latest reading
}

func (s *snapshot) loaded() bool { return !s.good.IsZero() && !s.stale }

func (s *snapshot) lookup(kid string, alg jose.Algorithm) ([]*jose.PublicKey, error) {
	if keys := s.keys.find(kid, alg); len(keys) > 0 {
		return keys, nil
	}
	if !s.loaded() {
		return nil, s.unavailable()
	}
	if kid == "" {
		return nil, namelessError{}
	}
	return nil, ErrUnknownKey
}

func (s *snapshot) unavailable() error {
	if s.err == nil {
		return ErrUnavailable
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, s.err)
}

// next is the snapshot after a reading. Only a change of the keys makes a new generation.
func (s *snapshot) next(
	doc document,
	c contents,
	banned map[string]bool,
	maxStale time.Duration,
	now time.Time,
) *snapshot {
	n := &snapshot{
		generation: s.generation,
		keys:       s.keys,
		skipped:    s.skipped,
		version:    doc.version,
		good:       now,
		expires:    doc.expires,
	}
	if doc.unchanged {
		n.expires = s.expires
	} else {
		n.skipped = c.skipped
		n.keys = make(keysByID, len(c.keys))
		for kid, keys := range c.keys {
			if !banned[kid] {
				n.keys[kid] = s.keys.stay(keys)
			}
		}
	}
	if doc.refresh > 0 {
		n.ends = now.Add(maxStale)
	}
	if !n.expires.IsZero() && (n.ends.IsZero() || n.expires.Before(n.ends)) {
		n.ends = n.expires
	}
	if !s.loaded() || !maps.EqualFunc(s.keys, n.keys, sameKeys) {
		n.generation++
	}
	return n
}

// stay returns keys with those in the place of their equals that are there already.
func (k keysByID) stay(keys []*jose.PublicKey) []*jose.PublicKey {
	keys = slices.Clone(keys)
	for i, key := range keys {
		for _, before := range k[key.KeyID()] {
			if before.Equal(key) {
				keys[i] = before
			}
		}
	}
	return keys
}

// sameKeys reports whether two lists have the same keys in whatever order.
func sameKeys(a, b []*jose.PublicKey) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(key *jose.PublicKey) bool { return !slices.Contains(b, key) })
}

// failed is the snapshot after a reading that failed. What it skipped is shown even so.
func (s *snapshot) failed(err error, skipped []Skipped) *snapshot {
	n := *s
	n.err = err
	if skipped != nil {
		n.skipped = skipped
	}
	return &n
}

// without is the snapshot without a key.
func (s *snapshot) without(kid string) *snapshot {
	if len(s.keys[kid]) == 0 {
		return s
	}
	n := *s
	n.keys = maps.Clone(s.keys)
	delete(n.keys, kid)
	n.generation++
	return &n
}

// aged forgets the keys when they are too old.
func (s *snapshot) aged(now, wall time.Time) *snapshot {
	if !s.loaded() || s.left(now, wall) > 0 {
		return s
	}
	n := *s
	n.stale, n.keys, n.version = true, nil, ""
	n.generation++
	return &n
}

// never is longer than any program runs.
const never = 1<<63 - 1

// outrun reports whether the keys are too old only because the clock of the system says so: it was set forward, or the
// machine slept. An end that the set has by itself is a time of that clock.
func (s *snapshot) outrun(now, wall time.Time) bool {
	return s.left(now, wall) <= 0 && s.left(now, now) > 0
}

func wall() time.Time { return time.Now().Round(0) }

// left is the time until the keys are too old. A machine that slept has aged, and one whose clock was set back has not
// grown younger.
func (s *snapshot) left(now, wall time.Time) time.Duration {
	if s.ends.IsZero() || !s.loaded() {
		return never
	}
	return min(s.ends.Sub(now), s.ends.Sub(wall))
}

package trustdir

import (
	"maps"
	"time"
)

// snapshot is what is trusted at one time. It never changes.
type snapshot struct {
	generation uint64
	entries    map[string]Entry // by thumbprint
	ambiguous  map[string]bool
	revoked    map[string]bool
	skipped    []Skipped
	good       time.Time // when the directory was last read; zero means never
	stale      bool      // it was read, but too long ago
	err        error     // of the latest reading
}

func (s *snapshot) lookup(kid string) (Entry, error) {
	if !s.loaded() {
		return Entry{}, s.unavailable()
	}
	if s.revoked[kid] {
		return Entry{}, ErrRevoked
	}
	if s.ambiguous[kid] {
		return Entry{}, ErrAmbiguous
	}
	if entry, ok := s.entries[kid]; ok {
		return entry, nil
	}
	return Entry{}, ErrUnknownKey
}

func (s *snapshot) loaded() bool { return !s.good.IsZero() && !s.stale }

// next is the snapshot after a reading. Only a change of the trusted keys makes a new generation.
func (s *snapshot) next(l *listing, now time.Time) *snapshot {
	n := &snapshot{
		generation: s.generation,
		entries:    l.keys, ambiguous: map[string]bool{}, revoked: l.revoked, skipped: l.skipped,
		good: now,
	}
	for thumbprint, ids := range l.ids {
		if len(ids) > 1 {
			n.ambiguous[thumbprint] = true
		}
		if len(ids) > 1 || l.revoked[thumbprint] {
			delete(n.entries, thumbprint)
		}
	}
	same := func(a, b Entry) bool { return a.ID == b.ID }
	if !s.loaded() || !maps.EqualFunc(s.entries, n.entries, same) {
		n.generation++
	}
	return n
}

// failed is the snapshot after a reading that failed.
func (s *snapshot) failed(err error, now time.Time) *snapshot {
	n := *s
	n.err = err
	return n.aged(now)
}

// aged forgets the keys when they are too old.
func (s *snapshot) aged(now time.Time) *snapshot {
	// A machine that slept has aged, and one whose clock was set back has not grown younger.
	age := max(now.Sub(s.good), now.Round(0).Sub(s.good.Round(0)))
	if !s.loaded() || age < maxStale {
		return s
	}
	n := *s
	n.stale, n.entries = true, nil
	n.generation++
	return &n
}

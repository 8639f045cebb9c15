package trustdir

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Errors of a look-up.
var (
	// ErrUnknownKey says that no file holds the key.
	ErrUnknownKey = errors.New("trustdir: unknown key")
	// ErrRevoked says that the key is listed under revoked/.
	ErrRevoked = errors.New("trustdir: revoked key")
	// ErrAmbiguous says that the key is found under two IDs.
	ErrAmbiguous = errors.New("trustdir: key of two IDs")
	// ErrUnavailable says that the directory cannot answer: it was never read, a part of it could not be read for more
	// than an hour, or it is closed.
	ErrUnavailable = errors.New("trustdir: no keys available")
)

// snapshot is the state of trust at one time. It never changes.
type snapshot struct {
	generation uint64
	parts
	*answers
	good time.Time // when all was last read without error; zero means never
	err  error     // of the latest reading
}

// parts are the latest good readings of each part of the directory.
type parts struct {
	trust   age // of the list of trust domains
	domains map[string]domainPart
	strays  []Skipped
	files   int
	revoked revokedPart
}

type domainPart struct {
	age
	*bindings // nil when it was never read
}

type revokedPart struct {
	age
	*revocations
	failing bool // the latest reading of revoked/ failed
}

// age is when a part was last read without error.
type age struct {
	good time.Time
	old  bool // too long ago to be used
}

// at returns the age at now. A machine that slept has aged, and one whose clock was set back has not grown younger.
func (a age) at(now time.Time) age {
	a.old = !a.good.IsZero() && max(now.Sub(a.good), now.Round(0).Sub(a.good.Round(0))) >= maxStale
	return a
}

// answers are composed of all parts.
type answers struct {
	available bool             // else there is no answer but ErrUnavailable
	partial   bool             // some keys may be missing because their folder could not be read for too long
	entries   map[string]Entry // trusted keys, by thumbprint
	ambiguous map[string]bool
	names     map[string]bool // IDs that have a key, be it revoked or read too long ago
	skipped   []Skipped
}

func (s *snapshot) lookup(kid string) (Entry, error) {
	if !s.available {
		return Entry{}, s.unavailable()
	}
	if s.revoked.holds(kid) {
		return Entry{}, ErrRevoked
	}
	if s.ambiguous[kid] {
		return Entry{}, ErrAmbiguous
	}
	if entry, ok := s.entries[kid]; ok {
		return entry, nil
	}
	if s.partial {
		return Entry{}, s.unavailable()
	}
	return Entry{}, ErrUnknownKey
}

// named reports whether an ID has a key, be it revoked. A folder that could not be read yet may hold one.
func (s *snapshot) named(domain, id string) (bool, error) {
	part, known := s.domains[domain]
	if !s.available || known && part.bindings == nil {
		return false, s.unavailable()
	}
	return s.names[id], nil
}

func (r revokedPart) holds(kid string) bool { return r.revocations != nil && r.keys[kid] }

func (s *snapshot) unavailable() error {
	switch {
	case errors.Is(s.err, ErrUnavailable):
		return s.err
	case s.err != nil:
		return fmt.Errorf("%w: %w", ErrUnavailable, s.err)
	default:
		return ErrUnavailable
	}
}

// next is the snapshot after a reading. Only a change of the trusted keys makes a new generation.
func (s *snapshot) next(l *reading, now time.Time) *snapshot {
	n := *s
	if n.err = l.err(); n.err == nil {
		n.good = now
	}
	n.files = l.files
	if l.trustErr == nil {
		n.trust.good, n.strays = now, l.strays
		n.domains = make(map[string]domainPart, len(l.domains))
		for domain, found := range l.domains {
			part := s.domains[domain]
			if found.bindings != nil {
				part.bindings = found.bindings
			}
			if found.err == nil {
				part.good = now
			}
			n.domains[domain] = part
		}
	}
	n.revoked.failing = l.revokedErr != nil
	if l.revokedErr == nil {
		n.revoked.good, n.revoked.revocations = now, l.revoked
	}
	return n.aged(s, now)
}

// failed is the snapshot after a reading of which no part succeeded.
func (s *snapshot) failed(err error, now time.Time) *snapshot {
	n := *s
	n.err = err
	return n.aged(s, now)
}

// aged gives up the parts that are too old, and composes the answers anew when they may differ from the ones before.
func (s *snapshot) aged(before *snapshot, now time.Time) *snapshot {
	n := *s
	n.trust = s.trust.at(now)
	n.revoked.age = s.revoked.at(now)
	n.domains = make(map[string]domainPart, len(s.domains))
	for domain, part := range s.domains {
		part.age = part.at(now)
		n.domains[domain] = part
	}
	if n.good.IsZero() == before.good.IsZero() && n.same(before.parts) {
		return &n
	}
	n.answers = n.compose(before.answers)
	same := func(a, b Entry) bool { return a.ID == b.ID }
	if n.available != before.available || !maps.EqualFunc(n.entries, before.entries, same) {
		n.generation++
	}
	return &n
}

// same reports whether the same answers are composed of both.
func (p parts) same(q parts) bool {
	return p.trust.old == q.trust.old && p.revoked.old == q.revoked.old && p.revoked.failing == q.revoked.failing &&
		p.revoked.revocations == q.revoked.revocations &&
		slices.EqualFunc(p.strays, q.strays, func(a, b Skipped) bool { return a.Path == b.Path && sameText(a.Err, b.Err) }) &&
		maps.EqualFunc(p.domains, q.domains, func(a, b domainPart) bool { return a.old == b.old && a.bindings == b.bindings })
}

// compose makes the answers of all parts. While revoked/ cannot be read, no key is added, because it could be a revoked
// one that comes back; removals and the known revocations count.
func (s *snapshot) compose(before *answers) *answers {
	a := &answers{
		available: !s.good.IsZero() && !s.trust.old && !s.revoked.old,
		entries:   map[string]Entry{}, ambiguous: map[string]bool{}, names: map[string]bool{},
		skipped: slices.Clone(s.strays),
	}
	owners := map[string]string{}
	for _, domain := range slices.Sorted(maps.Keys(s.domains)) {
		part := s.domains[domain]
		a.partial = a.partial || part.old
		if part.bindings == nil {
			continue
		}
		a.skipped = append(a.skipped, part.skipped...)
		for _, entry := range part.entries {
			kid := entry.Key.Thumbprint()
			a.names[entry.ID] = true
			if owner, known := owners[kid]; known && owner != entry.ID {
				a.ambiguous[kid] = true
				continue
			}
			owners[kid] = entry.ID
			if !part.old && (!s.revoked.failing || before.entries[kid].ID == entry.ID) {
				a.entries[kid] = entry
			}
		}
	}
	if s.revoked.revocations != nil {
		a.skipped = append(a.skipped, s.revoked.skipped...)
	}
	if !a.available {
		a.entries = nil
	}
	maps.DeleteFunc(a.entries, func(kid string, _ Entry) bool { return a.ambiguous[kid] || s.revoked.holds(kid) })
	return a
}

// ends is when the first of the parts is too old, unless it is read again.
func (s *snapshot) ends() time.Time {
	if s.good.IsZero() {
		return time.Time{}
	}
	oldest := s.trust.good
	if s.revoked.good.Before(oldest) {
		oldest = s.revoked.good
	}
	for _, part := range s.domains {
		if part.bindings != nil && part.good.Before(oldest) {
			oldest = part.good
		}
	}
	return oldest.Add(maxStale)
}

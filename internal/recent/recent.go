// Package recent keeps what happened lately, equal events in one entry with a count, and says which of them a log
// should have: a peer that causes the same line a thousand times a second must not fill the log, and must not hide the
// others.
package recent

import (
	"slices"
	"sync"
	"time"
)

// Limits bound a list of events.
type Limits struct {
	// Entries is how many entries are kept; the one that happened longest ago makes room.
	Entries int
	// Interval is how often an event is logged that repeats, and Lines is how many lines there may be within it.
	Interval time.Duration
	Lines    int
}

// Entry is one event, or several equal ones.
type Entry[E any] struct {
	// Event is the last of them.
	Event E
	// First and Last are when it happened first and last, and Times is how often.
	First, Last time.Time
	Times       uint64
}

// Events are the recent events of one kind. They are safe for concurrent use.
type Events[K comparable, E any] struct {
	limits Limits

	mu       sync.Mutex
	kept     []*kept[K, E] // the one that happened longest ago first
	byKey    map[K]*kept[K, E]
	window   time.Time // when the interval began
	lines    int       // within it
	unlogged uint64    // for which there was no line
}

type kept[K comparable, E any] struct {
	Entry[E]
	key      K
	logged   time.Time
	unlogged uint64 // since then
}

// New returns a list without events.
func New[K comparable, E any](limits Limits) *Events[K, E] {
	return &Events[K, E]{limits: limits, byKey: map[K]*kept[K, E]{}}
}

// Add keeps an event. It reports whether the event is to be logged, and how many before it were not: equal ones, and
// others for which there was no line.
func (s *Events[K, E]) Add(key K, event E, now time.Time) (log bool, equal, others uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry := s.enter(key, event, now)
	entry.unlogged++
	if !entry.logged.IsZero() && now.Sub(entry.logged) < s.limits.Interval {
		return false, 0, 0
	}
	if now.Sub(s.window) >= s.limits.Interval {
		s.window, s.lines = now, 0
	}
	if s.lines == s.limits.Lines {
		s.unlogged++
		return false, 0, 0
	}
	s.lines++
	equal, others = entry.unlogged-1, s.unlogged
	entry.logged, entry.unlogged, s.unlogged = now, 0, 0
	return true, equal, others
}

// enter makes the entry of the event the newest one.
func (s *Events[K, E]) enter(key K, event E, now time.Time) *kept[K, E] {
	entry := s.byKey[key]
	if entry == nil {
		if len(s.kept) == s.limits.Entries {
			delete(s.byKey, s.kept[0].key)
			s.kept = slices.Delete(s.kept, 0, 1)
		}
		entry = &kept[K, E]{key: key, Entry: Entry[E]{First: now}}
		s.byKey[key] = entry
	} else {
		at := slices.Index(s.kept, entry)
		s.kept = slices.Delete(s.kept, at, at+1)
	}
	entry.Event, entry.Last = event, now
	entry.Times++
	s.kept = append(s.kept, entry)
	return entry
}

// All returns the entries, the one that happened last first.
func (s *Events[K, E]) All() []Entry[E] {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Entry[E], 0, len(s.kept))
	for _, entry := range slices.Backward(s.kept) {
		all = append(all, entry.Entry)
	}
	return all
}

package keyset

import (
	"context"
	"time"
)

// Remembered counts what unknown keys have left behind: those that were not found, and those that are looked for.
func Remembered(s *Set) int {
	s.unknown.mu.Lock()
	defer s.unknown.mu.Unlock()
	return max(len(s.unknown.absent), len(s.unknown.order)) + len(s.unknown.wanted)
}

// SetRandom makes every jitter be drawn with random. The set must not have started.
func SetRandom(s *Set, random func() float64) { s.config.random = random }

// SetWall replaces the clock of the system. The set must not have started.
func SetWall(s *Set, wall func() time.Time) { s.wall = wall }

// Start begins to keep the set fresh.
func (s *Set) Start() { s.start() }

// Load reads the source now, and returns its error.
func (s *Set) Load(ctx context.Context) error { return s.load(ctx) }

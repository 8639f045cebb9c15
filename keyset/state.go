package keyset

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
)

// State is a set as an operator sees it.
type State struct {
	// Source names where the set comes from.
	Source string
	// Generation counts the changes of the keys.
	Generation uint64
	// Keys are the kids of the keys that are in force, sorted; one that two keys share is there twice.
	Keys []string
	// Skipped are the keys that the latest reading did not trust. From the 101st on they are counted in one entry.
	Skipped []Skipped
	// Read is when the source last confirmed the keys. It is zero when it never did.
	Read time.Time
	// Ends is when the keys are too old unless the source confirms them again. It is zero when they never are.
	Ends time.Time
	// Stale says that they are too old, and that credentials are refused for it.
	Stale bool
	// Err is the error of the latest reading, or nil. The keys of an earlier one may still be in force.
	Err error
	// Fetches counts the readings.
	Fetches uint64
	// Failures counts the failed fetches.
	Failures uint64
}

// State returns the state of the set.
func (s *Set) State() State {
	if s.source == nil {
		return State{Err: s.err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.current.Load()
	return State{
		Source: s.source.String(), Generation: now.generation, Keys: now.keys.ids(), Skipped: slices.Clone(now.skipped),
		Read: now.good, Ends: now.ends, Stale: now.stale, Err: now.err, Fetches: s.counts.fetches, Failures: s.counts.failures,
	}
}

// next returns what is closed at the end of the next reading.
func (u *unknown) next() <-chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.round
}

// report logs what has changed between two snapshots, and nothing that has not.
func (s *Set) report(before, after *snapshot) {
	ctx := context.Background()
	log := s.logger.With(slog.Uint64("generation", after.generation))
	for _, key := range after.keys.without(before.keys) {
		log.LogAttrs(ctx, slog.LevelInfo, "parley: issuer's key trusted", named(key)...)
	}
	for _, key := range before.keys.without(after.keys) {
		log.LogAttrs(ctx, slog.LevelWarn, "parley: issuer's key no longer trusted",
			append(named(key), slog.Bool("stale", after.stale))...)
	}
	if !slices.EqualFunc(before.skipped, after.skipped, sameSkip) {
		for _, skip := range after.skipped {
			level := slog.LevelWarn
			if skip.Alarm {
				level = slog.LevelError
			}
			log.LogAttrs(
				ctx,
				level,
				"parley: issuer's key skipped",
				slog.String("kid", skip.Key),
				slog.String("problem", skip.Err.Error()),
			)
		}
	}
	switch {
	case after.err != nil && (before.err == nil || before.err.Error() != after.err.Error()):
		log.LogAttrs(
			ctx,
			slog.LevelError,
			"parley: key set cannot be read",
			slog.String("error", after.err.Error()),
			slog.Time("read", after.good),
		)
	case after.err == nil && before.err != nil:
		log.LogAttrs(ctx, slog.LevelInfo, "parley: key set can be read again")
	}
	if after.stale && !before.stale {
		log.LogAttrs(ctx, slog.LevelError, "parley: keys too old to be trusted", slog.Time("read", after.good))
	}
}

// without are the keys that others does not hold, sorted by kid.
func (k keysByID) without(others keysByID) []*jose.PublicKey {
	var rest []*jose.PublicKey
	for _, kid := range slices.Sorted(maps.Keys(k)) {
		for _, key := range k[kid] {
			if !others.holds(key) {
				rest = append(rest, key)
			}
		}
	}
	return rest
}

// named tells a key apart from others in a log.
func named(key *jose.PublicKey) []slog.Attr {
	return []slog.Attr{slog.String("kid", key.KeyID()), slog.String("alg", string(key.Algorithm()))}
}

func sameSkip(a, b Skipped) bool { return a.Key == b.Key && a.Err.Error() == b.Err.Error() }

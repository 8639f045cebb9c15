package trustdir

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
)

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

// report logs what has changed between two snapshots, and nothing that has not.
func (d *Directory) report(before, after *snapshot) {
	ctx := context.Background()
	log := d.logger.With(slog.String("dir", d.reader.dir), slog.Uint64("generation", after.generation))
	for _, kid := range slices.Sorted(maps.Keys(after.entries)) {
		if id := after.entries[kid].ID; before.entries[kid].ID != id {
			log.LogAttrs(ctx, slog.LevelInfo, "key trusted", slog.String("id", id), slog.String("kid", kid))
		}
	}
	for _, kid := range slices.Sorted(maps.Keys(before.entries)) {
		if _, still := after.entries[kid]; !still {
			log.LogAttrs(ctx, slog.LevelWarn, "key no longer trusted", slog.String("id", before.entries[kid].ID), slog.String("kid", kid), slog.String("reason", after.reason(kid)))
		}
	}
	for _, kid := range slices.Sorted(maps.Keys(after.ambiguous)) {
		if !before.ambiguous[kid] {
			log.LogAttrs(ctx, slog.LevelError, "key of two IDs is refused", slog.String("kid", kid))
		}
	}
	if text := texts(after.skipped); !slices.Equal(texts(before.skipped), text) {
		for _, s := range text {
			log.LogAttrs(ctx, slog.LevelWarn, "file skipped", slog.String("problem", s))
		}
	}
	switch {
	case after.err != nil && (before.err == nil || before.err.Error() != after.err.Error()):
		log.LogAttrs(ctx, slog.LevelError, "trust directory cannot be read", slog.String("error", after.err.Error()))
	case after.err == nil && before.err != nil:
		log.LogAttrs(ctx, slog.LevelInfo, "trust directory can be read again")
	}
	if after.stale && !before.stale {
		log.LogAttrs(ctx, slog.LevelError, "keys too old to be trusted", slog.Time("read", after.good))
	}
}

func (s *snapshot) reason(kid string) string {
	switch {
	case s.stale:
		return "stale"
	case s.revoked[kid]:
		return "revoked"
	case s.ambiguous[kid]:
		return "ambiguous"
	default:
		return "deleted"
	}
}

func texts(skipped []Skipped) []string {
	list := make([]string, len(skipped))
	for i, s := range skipped {
		list[i] = s.Path + ": " + s.Err.Error()
	}
	return list
}

package trustdir

import (
	"context"
	"log/slog"
	"maps"
	"slices"
)

// report logs the difference between two snapshots.
func (d *Directory) report(before, after *snapshot) {
	ctx := context.Background()
	log := d.logger.With(slog.String("dir", d.reader.dir), slog.Uint64("generation", after.generation))
	if before.answers != after.answers {
		reportKeys(ctx, log, before, after)
	}
	switch {
	case after.err != nil && !sameText(before.err, after.err):
		log.LogAttrs(ctx, slog.LevelError, "trust directory cannot be read", slog.String("error", after.err.Error()))
	case after.err == nil && before.err != nil:
		log.LogAttrs(ctx, slog.LevelInfo, "trust directory can be read again")
	}
	if !before.good.IsZero() && before.available && !after.available {
		log.LogAttrs(ctx, slog.LevelError, "keys too old to be trusted", slog.Time("read", after.good))
	}
	if limit := d.reader.limit; NearlyFull(after.files, limit) && !NearlyFull(before.files, limit) {
		log.LogAttrs(ctx, slog.LevelWarn, "trust directory is nearly full: remove keys that are no longer used",
			slog.Int("files", after.files), slog.Int("limit", limit))
	}
}

// NearlyFull reports whether a directory that may hold limit files has so many that operators should be warned.
func NearlyFull(files, limit int) bool { return limit > 0 && 100*files >= nearlyFull*limit }

func reportKeys(ctx context.Context, log *slog.Logger, before, after *snapshot) {
	var added, gone []string
	for kid, entry := range after.entries {
		if before.entries[kid].ID != entry.ID {
			added = append(added, kid)
		}
	}
	for kid := range before.entries {
		if _, still := after.entries[kid]; !still {
			gone = append(gone, kid)
		}
	}
	slices.Sort(added)
	slices.Sort(gone)
	for _, kid := range added {
		log.LogAttrs(ctx, slog.LevelInfo, "key trusted", slog.String("id", after.entries[kid].ID), slog.String("kid", kid))
	}
	for _, kid := range gone {
		log.LogAttrs(ctx, slog.LevelWarn, "key no longer trusted", slog.String("id", before.entries[kid].ID),
			slog.String("kid", kid), slog.String("reason", after.reason(kid)))
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
}

func (s *snapshot) reason(kid string) string {
	switch {
	case s.revoked.holds(kid):
		return "revoked"
	case s.ambiguous[kid]:
		return "ambiguous"
	case !s.available || s.partial:
		return "stale"
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

package issuer

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/parley-rpc/parley/issuer/store"
)

// migration changes the records from one version of their format to the next. It may be killed and begun anew, and
// several processes may run it at once, so each of its changes must be good to see for a process of either version.
type migration func(context.Context, store.Store) error

// migrations returns the way from format 1 to the present format: the first entry leads from 1 to 2. It only grows.
func migrations() []migration { return nil }

// migrate brings the records to the present format, and marks an empty store with it.
func migrate(ctx context.Context, records store.Store, steps []migration) error {
	present := len(steps) + 1
	for {
		r, err := records.Get(ctx, kindMeta, nameFormat)
		if errors.Is(err, store.ErrNotFound) {
			if err := mark(ctx, records, present); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		format, err := strconv.Atoi(string(r.Value))
		switch {
		case err != nil || format < 1:
			return fmt.Errorf("the format of the records is %q, which is no version; restore a backup", r.Value)
		case format > present:
			return fmt.Errorf("the records have format %d, and this program knows %d; use the newer program", format, present)
		case format == present:
			return nil
		}
		if err := steps[format-1](ctx, records); err != nil {
			return fmt.Errorf("migration of the records from format %d: %w", format, err)
		}
		err = records.Apply(ctx, store.Change{
			Kind: kindMeta, Name: nameFormat, Version: r.Version, Value: strconv.AppendInt(nil, int64(format)+1, 10),
		})
		if err != nil && !errors.Is(err, store.ErrConflict) { // another process may have migrated
			return err
		}
	}
}

// mark marks an empty store with the present format. Records without a format are a copy that was cut short.
func mark(ctx context.Context, records store.Store, present int) error {
	empty, err := isEmpty(ctx, records)
	if err != nil {
		return err
	}
	if !empty {
		_, err := records.Get(ctx, kindMeta, nameFormat)
		if errors.Is(err, store.ErrNotFound) {
			return errors.New("the records are an incomplete copy; restore the backup into an empty store again")
		}
		return err // another process has marked it and begun
	}
	err = records.Apply(ctx, store.Change{
		Kind: kindMeta, Name: nameFormat, Value: strconv.AppendInt(nil, int64(present), 10),
	})
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}

func isEmpty(ctx context.Context, records store.Store) (bool, error) {
	for _, kind := range []store.Kind{
		kindMeta, kindKeys, kindClients, kindClientKeys, kindReplays, kindRevocations, kindAudit,
	} {
		list, err := records.List(ctx, kind, "", 1)
		if err != nil || len(list) > 0 {
			return false, err
		}
	}
	return true, nil
}

package file

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/internal/privatefile"
)

// Watch lists the instances of service, and lists them again after each change. It fails if the folder is missing or
// has the wrong owner or mode.
func (d *Driver) Watch(ctx context.Context, service string, emit func([]driver.Instance)) error {
	if err := driver.CheckService(service); err != nil {
		return err
	}
	ticker := time.NewTicker(d.interval)
	defer ticker.Stop()
	var shown []driver.Instance
	reader := reader{service: service, wall: d.wall}
	for first := true; ; first = false {
		if err := d.ready(ctx); err != nil {
			return err
		}
		list, err := d.list(&reader)
		if err != nil {
			return err
		}
		if first || !slices.EqualFunc(list, shown, driver.Instance.Equal) {
			shown = list
			emit(slices.Clone(list))
		}
		select {
		case <-ticker.C:
		case <-d.life.Done():
		case <-ctx.Done():
		}
	}
}

// list returns the live instances in the folder, sorted by ID.
func (d *Driver) list(r *reader) ([]driver.Instance, error) {
	root, err := privatefile.Open(d.folder)
	if err != nil {
		return nil, fmt.Errorf("the folder cannot be read: %w", err)
	}
	defer func() { _ = root.Close() }()
	live, err := r.entries(root, func(string) bool { return true })
	if err != nil {
		return nil, fmt.Errorf("the folder cannot be read: %w", err)
	}
	list := make([]driver.Instance, 0, len(live))
	for _, e := range live {
		list = append(list, e.instance)
	}
	slices.SortFunc(list, func(a, b driver.Instance) int { return cmp.Compare(a.ID, b.ID) })
	return list, nil
}

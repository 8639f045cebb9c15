package file

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/internal/privatefile"
)

// Announce writes the file of an instance, and removes other files with its ID.
func (d *Driver) Announce(ctx context.Context, in driver.Instance, ttl time.Duration) (driver.Lease, error) {
	if err := in.Check(); err != nil {
		return nil, err
	}
	l := &lease{
		driver: d, ttl: ttl, lost: make(chan struct{}),
		entry: entry{Holder: rand.Text(), instance: in},
	}
	l.ctx, l.stop = context.WithCancel(d.life)
	err := l.show(ctx, in)
	if err == nil && !d.start(l.keep) {
		err = ErrClosed
	}
	if err != nil {
		l.stop()
		return nil, errors.Join(err, l.remove())
	}
	return l, nil
}

// start runs f unless the driver is closed, and reports whether it runs.
func (d *Driver) start(f func()) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.running.Go(f)
	return true
}

// lease is one announced instance.
type lease struct {
	driver *Driver
	ttl    time.Duration
	ctx    context.Context // ends with the lease
	stop   context.CancelFunc

	mu      sync.Mutex
	entry   entry     // the entry that was written last
	until   time.Time // the driver vouches for the entry until then
	renewal time.Time
	revoked bool

	lost chan struct{} // closed by keep
}

var _ driver.Lease = (*lease)(nil)

func (l *lease) Lost() <-chan struct{} { return l.lost }

func (l *lease) Update(ctx context.Context, in driver.Instance) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.revoked || l.ctx.Err() != nil {
		return ErrLeaseEnded
	}
	return l.show(ctx, in)
}

func (l *lease) Revoke(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.revoked = true
	l.stop()
	return l.remove()
}

// show writes the instance and removes any other entry with its ID. The caller holds the lock, or no other goroutine
// knows the lease yet.
func (l *lease) show(ctx context.Context, in driver.Instance) error {
	if err := l.driver.ready(ctx); err != nil {
		return err
	}
	root, err := privatefile.Make(l.driver.folder)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	l.entry.instance, l.entry.Announced = in, time.Now()
	if err := l.renew(root); err != nil {
		return err
	}
	return supersede(root, &l.entry)
}

// renew writes the entry for another ttl. The caller holds the lock.
func (l *lease) renew(root *os.Root) error {
	now := time.Now()
	l.entry.Expires = now.Add(l.ttl)
	if err := l.entry.write(root); err != nil {
		return err
	}
	l.until = l.entry.Expires
	l.renewal = now.Add(time.Duration((1 + l.driver.random()) / 6 * float64(l.ttl))) // between a sixth and a third
	return nil
}

// remove removes the file, which only this lease uses.
func (l *lease) remove() error {
	root, err := privatefile.Open(l.driver.folder)
	if err == nil {
		defer func() { _ = root.Close() }()
		err = root.Remove(l.entry.path())
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// keep renews the entry until the lease ends.
func (l *lease) keep() {
	defer close(l.lost)
	defer l.stop()
	ticker := time.NewTicker(min(l.driver.interval, max(l.ttl/6, time.Millisecond)))
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-l.ctx.Done():
			return
		}
		if !l.stands() {
			return
		}
	}
}

// stands renews the entry when it is time. It reports whether the driver can still vouch that the entry, or another
// entry with its ID, is visible.
func (l *lease) stands() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.revoked || !now.Before(l.until) {
		return false
	}
	root, err := privatefile.Open(l.driver.folder)
	if err != nil {
		return true // for now
	}
	defer func() { _ = root.Close() }()
	_, err = root.Lstat(l.entry.path())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return l.superseded(root)
	case err == nil && !now.Before(l.renewal):
		_ = l.renew(root) // keep tries again until the entry has expired
	}
	return true
}

// superseded reports whether another entry with the ID is live. The caller holds the lock.
func (l *lease) superseded(root *os.Root) bool {
	in := l.entry.instance
	live, err := (&reader{service: in.Service, wall: l.driver.wall}).entries(
		root,
		func(name string) bool { return strings.HasPrefix(name, namePrefix(in.ID)) },
	)
	if err != nil {
		return true // for now
	}
	if live[in.ID] == nil {
		return false
	}
	l.until = time.Now().Add(l.ttl)
	return true
}

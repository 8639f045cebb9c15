// Package file is an engine of discovery for several processes on one machine: a folder in which each announced
// instance is a file with an expiry time, which its process renews. There is no server, and nothing to start first.
//
//	registry := discovery.New(driver) // over file.New("/run/parley")
//
// The folder and the files in it belong to one user: the folder, which the first Announce makes with mode 0700, and
// those above it must belong to that user or to root and must not be writable by others, and files must have mode 0600.
// A folder that breaks these rules is refused; a file that breaks them is ignored. All processes run on one Unix
// machine and share its clock.
//
// A file is replaced as a whole. A process that dies leaves its files behind; the files expire with their ttl, and are
// removed an hour later by the next process that announces an instance of the same service.
package file

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/parley-rpc/parley/discovery/driver"
)

// The errors of a Driver. Match them with errors.Is.
const (
	// ErrClosed means that the driver was closed.
	ErrClosed driver.Error = "the driver is closed"
	// ErrLeaseEnded means that a lease was lost or revoked.
	ErrLeaseEnded driver.Error = "the lease has ended"
)

// Driver is one process's view of the folder. Its methods may be called from any goroutine.
type Driver struct {
	folder   string
	interval time.Duration
	random   func() float64
	wall     func() time.Time

	life    context.Context // ends with Close
	end     context.CancelFunc
	mu      sync.Mutex // guards closed, and running against Wait
	closed  bool
	running sync.WaitGroup
}

var _ driver.Driver = (*Driver)(nil)

// New returns a driver over a folder, which need not exist yet. All mistakes are returned joined.
func New(folder string, opts ...Option) (*Driver, error) {
	d := &Driver{interval: defaultInterval, random: rand.Float64, wall: time.Now}
	d.life, d.end = context.WithCancel(context.Background())
	var errs []error
	if folder == "" {
		errs = append(errs, errors.New("file: want a folder, such as /run/parley"))
	} else if absolute, err := filepath.Abs(folder); err != nil {
		errs = append(errs, fmt.Errorf("file: %q: %w", folder, err))
	} else {
		d.folder = absolute
	}
	for _, o := range opts {
		errs = append(errs, o.apply(d))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return d, nil
}

// Open is [New] for a URL, file:/run/parley or file:///run/parley. The path is absolute.
func Open(rawURL string) (driver.Driver, error) {
	folder, ok := strings.CutPrefix(rawURL, "file:")
	folder = strings.TrimPrefix(folder, "//")
	if !ok || !filepath.IsAbs(folder) || strings.ContainsAny(folder, "?#%") {
		return nil, fmt.Errorf("%q: want file:<absolute path>, such as file:/run/parley", rawURL)
	}
	return New(folder)
}

// String names the folder.
func (d *Driver) String() string { return "file at " + d.folder }

// Close ends every Watch and every lease.
func (d *Driver) Close() error {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.end()
	d.running.Wait()
	return nil
}

// ready reports whether the driver may still be used under ctx.
func (d *Driver) ready(ctx context.Context) error {
	if d.life.Err() != nil {
		return ErrClosed
	}
	return ctx.Err()
}

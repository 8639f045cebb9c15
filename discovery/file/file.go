// Package file is a discovery engine for several processes on one machine. The engine is a folder in which each
// announced instance is a file with an expiry time, which its process renews. It needs no server.
//
//	registry := discovery.New(driver) // over file.New("/run/parley")
//
// The first Announce creates the folder with mode 0700. The folder and all folders above it must belong to the user of
// the process or to root, and must not be writable by others. A folder that breaks these rules is refused. Files must
// belong to the same user and have mode 0600; other files are ignored. All processes must run on the same Unix machine
// and use its clock.
//
// A file is always replaced as a whole. The files of a process that died expire after their ttl. An hour later they are
// removed by the next process that announces an instance of the same service.
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

// Driver is a client of the folder. Its methods may be called from any goroutine.
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

// New returns a driver that uses folder. The folder may be created later. New returns all mistakes, joined.
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

// Open is like [New] with a URL: file:/run/parley or file:///run/parley. The path must be absolute.
func Open(rawURL string) (driver.Driver, error) {
	folder, ok := strings.CutPrefix(rawURL, "file:")
	folder = strings.TrimPrefix(folder, "//")
	if !ok || !filepath.IsAbs(folder) || strings.ContainsAny(folder, "?#%") {
		return nil, fmt.Errorf("%q: want file:<absolute path>, such as file:/run/parley", rawURL)
	}
	return New(folder)
}

// String returns "file" and the path of the folder.
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

// ready returns an error if the driver is closed or ctx has ended.
func (d *Driver) ready(ctx context.Context) error {
	if d.life.Err() != nil {
		return ErrClosed
	}
	return ctx.Err()
}

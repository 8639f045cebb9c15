package trustdir

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/internal/safepath"
)

// Options configure a directory.
type Options struct {
	// ValidID returns an error for an ID that must not be in the directory. May be nil.
	ValidID func(id string) error
	// Logger logs every change of trust, files that are skipped and readings that fail. Nil means none.
	Logger *slog.Logger
	// OnChange is called with each new generation, one call at a time, by the goroutine that Start starts. It should
	// return soon and must not call Close. A generation that another one follows at once may be left out. May be nil.
	OnChange func(generation uint64)
}

// Directory is a trust directory and its keys. It is safe for concurrent use.
type Directory struct {
	options Options
	logger  *slog.Logger
	now     func() time.Time

	reading sync.Mutex // guards reader
	reader  reader

	mu      sync.Mutex // guards the change of current, and closed
	current atomic.Pointer[snapshot]
	closed  bool
	owner   *keeper // nil until Start

	rounds rounds
}

// Open returns the directory dir, without looking at it. [Directory.Check] and [Directory.Start] do.
func Open(dir string, opts Options) *Directory {
	d := &Directory{options: opts, logger: opts.Logger, now: time.Now}
	d.reader = reader{
		dir: dir, guard: safepath.New(), validID: opts.ValidID, now: func() time.Time { return d.now() },
		domains: map[string]*folder{}, limit: maxFiles,
	}
	if d.reader.validID == nil {
		d.reader.validID = func(string) error { return nil }
	}
	if d.logger == nil {
		d.logger = slog.New(slog.DiscardHandler)
	}
	d.current.Store(&snapshot{answers: &answers{}})
	d.rounds.next = make(chan struct{})
	return d
}

// Check reads the directory now. Without error its keys can be looked up from then on. The error names the place and
// the remedy: a path that is missing, or that another user owns or may write to. A file without meaning is no error;
// see [Directory.Skipped]. A closed directory is [ErrUnavailable].
func (d *Directory) Check() error { return d.read() }

// Lookup returns the entry of a key by its thumbprint. It never waits: an unknown key makes the directory be read again
// soon, at most once a second, but is unknown for now. So a flood of unknown keys costs little. See [Directory.Await].
//
// The error is [ErrUnknownKey], [ErrRevoked], [ErrAmbiguous] or [ErrUnavailable].
func (d *Directory) Lookup(kid string) (Entry, error) {
	entry, err := d.current.Load().lookup(kid)
	if errors.Is(err, ErrUnknownKey) || errors.Is(err, ErrUnavailable) {
		d.rounds.ask()
	}
	return entry, err
}

// Generation counts the changes of the set of trusted keys. It is 0 before the first reading, and increases also when
// the keys become too old and when the directory is closed.
func (d *Directory) Generation() uint64 { return d.current.Load().generation }

// Current reports whether a key is trusted now. It never causes a reading.
func (d *Directory) Current(kid string) bool {
	_, err := d.current.Load().lookup(kid)
	return err == nil
}

// Names reports whether the directory holds a key of an ID. Revoked keys, and keys that were read too long ago, count.
// It never waits. The error is [ErrUnavailable], also while the folder of the trust domain was never read.
func (d *Directory) Names(id string) (bool, error) {
	domain, _, err := splitID(id)
	if err != nil {
		return false, err
	}
	return d.current.Load().named(domain, id)
}

// Entries lists the trusted keys, by ID and thumbprint.
func (d *Directory) Entries() []Entry {
	return slices.SortedFunc(maps.Values(d.current.Load().entries), func(a, b Entry) int {
		if order := strings.Compare(a.ID, b.ID); order != 0 {
			return order
		}
		return strings.Compare(a.Key.Thumbprint(), b.Key.Thumbprint())
	})
}

// Skipped lists the files that are not used, each with its reason.
func (d *Directory) Skipped() []Skipped { return slices.Clone(d.current.Load().skipped) }

// State is a directory at one moment, for operators.
type State struct {
	Dir        string
	Keys       int // trusted ones
	Files      int // files below trust/, of which there may be Limit
	Limit      int
	Generation uint64
	Read       time.Time // the latest reading without error; zero means never
	Ends       time.Time // when keys become too old, unless they are read again; zero before the first reading
	Skipped    []error   // of files that are not used
	Err        error     // of the latest reading
}

// State describes the directory now. It never causes a reading.
func (d *Directory) State() State {
	s := d.current.Load()
	state := State{
		Dir: d.reader.dir, Keys: len(s.entries), Files: s.files, Limit: d.reader.limit, Generation: s.generation,
		Read: s.good, Ends: s.ends(), Err: s.err,
	}
	for _, skipped := range s.skipped {
		state.Skipped = append(state.Skipped, fmt.Errorf("%s: %w", skipped.Path, skipped.Err))
	}
	return state
}

// Err returns the error of the latest reading. The keys of an earlier one may still be in use.
func (d *Directory) Err() error { return d.current.Load().err }

// read reads the directory and makes its keys current.
func (d *Directory) read() error {
	d.reading.Lock()
	defer d.reading.Unlock()
	l, err := d.reader.read()
	if err != nil {
		return errors.Join(err, d.change(func(s *snapshot) *snapshot { return s.failed(err, d.now()) }))
	}
	return errors.Join(l.err(), d.change(func(s *snapshot) *snapshot { return s.next(l, d.now()) }))
}

// change makes another snapshot current, unless the directory is closed.
func (d *Directory) change(to func(*snapshot) *snapshot) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return ErrUnavailable
	}
	before := d.current.Load()
	after := to(before)
	d.current.Store(after)
	d.report(before, after)
	return nil
}

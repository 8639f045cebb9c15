package keyset

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/internal/backoff"
	"github.com/parley-rpc/parley/internal/jose"
)

// Options are what [New] may be told. The zero value is good.
type Options struct {
	// Keys is what the keys of the set may say about themselves.
	Keys jose.SetProfile
	// AllowEmpty takes a set without keys for what it says. By default it changes nothing.
	AllowEmpty bool
	// MaxStale is how long the keys are used after the last good reading. Default: [MaxStale].
	MaxStale time.Duration
	// Logger is told of keys that come, go and are skipped, and of readings that fail. Nil means nobody is.
	Logger *slog.Logger
	// OnChange is called with each new generation, one call at a time, by the goroutine that Start starts. It should return
	// soon and must not call Close. A generation that is followed by another at once may be left out. May be nil.
	OnChange func(generation uint64)
	// Random returns a number in [0, 1). Default: rand.Float64.
	Random func() float64
}

// Set is the keys of one issuer. It is safe for concurrent use.
type Set struct {
	source  Source
	options Options
	logger  *slog.Logger
	unknown unknown

	fetching sync.Mutex // one reading at a time
	failures int        // in a row; guarded by fetching

	mu      sync.Mutex // guards the change of current, and what follows
	current atomic.Pointer[snapshot]
	banned  map[string]bool
	counts  counts
	closed  bool
	owner   *keeper // nil until Start
}

type counts struct{ fetches, failures uint64 }

// New returns the set that lies in source, without reading it. [Set.Load] and [Set.Start] do.
func New(source Source, o Options) *Set {
	if o.MaxStale == 0 {
		o.MaxStale = MaxStale
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	s := &Set{source: source, options: o, logger: o.Logger, banned: map[string]bool{}}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	s.logger = s.logger.With(slog.String("keys", source.String()))
	s.current.Store(&snapshot{})
	s.unknown.round = make(chan struct{})
	return s
}

// Load reads the source now, and returns its error. It takes 5 seconds at most. A closed set is [ErrUnavailable].
func (s *Set) Load(ctx context.Context) error {
	_ = s.fetch(ctx)
	now := s.current.Load()
	if now.closed {
		return ErrUnavailable
	}
	return now.err
}

// Lookup returns the key called kid. It never waits, never locks and never causes a reading. The error is [ErrUnknownKey] or
// [ErrUnavailable].
func (s *Set) Lookup(kid string) (*jose.PublicKey, error) { return s.current.Load().lookup(kid) }

// Holds tells whether kid still names this very key.
func (s *Set) Holds(kid string, key *jose.PublicKey) bool {
	return key != nil && s.current.Load().keys[kid] == key
}

// Generation counts the changes of the keys. It is 0 before the first reading, and increases also when the keys become too
// old and when the set is closed.
func (s *Set) Generation() uint64 { return s.current.Load().generation }

// Invalidate takes a key out at once, and does not let it in again however often the source still shows it.
func (s *Set) Invalidate(kid string) {
	s.mu.Lock()
	s.banned[kid] = true
	s.mu.Unlock()
	s.change(func(before *snapshot) *snapshot { return before.without(kid) })
	s.nudge()
}

// fetch reads the source and makes what it finds current. It returns when the next reading is due.
func (s *Set) fetch(ctx context.Context) time.Duration {
	s.fetching.Lock()
	defer s.fetching.Unlock()
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	s.unknown.begin(time.Now())
	doc, c, err := s.read(ctx)
	now := time.Now()
	s.change(func(before *snapshot) *snapshot {
		s.counts.fetches++
		if err != nil {
			s.counts.failures++
			return before.failed(err, c.skipped).aged(now)
		}
		return before.next(doc, c, s.banned, s.options.MaxStale, now)
	})
	s.unknown.end(now, err == nil, s.current.Load().keys)
	if err != nil {
		s.failures++
		return backoff.Full(backoff.Bound(firstRetry, lastRetry, s.failures), s.options.Random)
	}
	s.failures = 0
	if doc.Refresh == 0 {
		return never
	}
	return doc.Refresh + time.Duration((2*s.options.Random()-1)*refreshJitter*float64(doc.Refresh))
}

// read asks the source. What it returns makes a set, or is an error: a panic too, because nothing that an issuer sends may
// end the process.
func (s *Set) read(ctx context.Context) (doc Document, c contents, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("keyset: panic while the set was read: %v", r)
		}
	}()
	before := s.current.Load()
	doc, err = s.source.Fetch(ctx, before.version)
	switch {
	case err != nil:
		return doc, c, err
	case doc.Unchanged && !before.loaded():
		return doc, c, errors.New("keyset: the source says that nothing has changed, but there is nothing yet")
	case doc.Unchanged:
		return doc, c, nil
	}
	c, err = ingest(doc.Text, &s.options)
	return doc, c, err
}

// change makes another snapshot current, unless the set is closed.
func (s *Set) change(to func(*snapshot) *snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	before := s.current.Load()
	after := to(before)
	s.current.Store(after)
	s.report(before, after)
}

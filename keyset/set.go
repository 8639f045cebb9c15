package keyset

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/internal/backoff"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/stated"
)

// Set is the public keys of one issuer, kept fresh from where they lie. It may be shared by any number of identities
// and servers, and is safe for concurrent use. [Set.Close] it when they are gone.
//
// A check of a credential reads a snapshot: no call waits for the place that the keys come from, except, for a second
// at most, a call whose credential names a key that is not known yet. Such a key makes the set be read at most once in
// 10 seconds. While the set cannot be read the last good one stays in force, for 24 hours at most; after that, and
// before the first, credentials of the issuer are refused with KEYS_UNAVAILABLE. A key that disappears from the set is
// revoked.
//
// Keys are Ed25519, P-256, P-384 or RSA of 2048 to 8192 bits, each for one algorithm, see [WithAlgorithms]. A key that
// is malformed, weak, secret or of another kind is skipped and named in [Set.State]; of the others the first 100 count.
// Keys that share a kid are told apart by their algorithm, and where that is the same, by the signature. Only the one
// key of a set may be without kid: its kid is its thumbprint (RFC 7638) then.
type Set struct {
	text   string // how it was made
	source source // nil with a configuration error
	config config
	logger *slog.Logger
	err    error            // the configuration errors, joined
	local  bool             // reading it is quick, so that Check does
	fixed  bool             // it never changes, and needs no goroutine
	wall   func() time.Time // the clock of the system, which may be set

	unknown  unknown
	fetching sync.Mutex // one reading at a time
	failures int        // in a row; guarded by fetching

	started   atomic.Bool
	mu        sync.Mutex // guards the change of current, and what follows
	current   atomic.Pointer[snapshot]
	banned    map[string]bool
	counts    counts
	closed    bool
	owner     *keeper // nil until start
	listeners map[*listener]struct{}
}

type counts struct{ fetches, failures uint64 }

// String is how the set was made.
func (s *Set) String() string { return s.text }

// Err returns the configuration errors, joined, or nil. Unlike [Set.Check] it reads nothing and starts nothing.
func (s *Set) Err() error { return s.err }

// Check returns every configuration error, joined, and begins to keep the set fresh. A file is read, and must hold
// keys; a set that lies elsewhere may come later, see [Set.Ready], but the files that its fetches need must be there.
func (s *Set) Check() error {
	if s == nil {
		return errors.New("keyset: there is no key set; make one with Static, File, URL or Provider")
	}
	if s.err != nil {
		return s.err
	}
	if s.current.Load().good.IsZero() {
		if err := s.config.checkFiles(); err != nil {
			return stated.Within(s.text, err)
		}
	}
	if s.local && s.current.Load().good.IsZero() {
		if err := s.load(context.Background()); err != nil {
			return stated.Within(s.text, err)
		}
	}
	s.start()
	return nil
}

// Ready waits until there are keys. It returns the error of Check. If ctx ends before, the error contains the reason
// why there are no keys yet, and matches [ErrUnavailable].
func (s *Set) Ready(ctx context.Context) error {
	if err := s.Check(); err != nil && (s == nil || s.err != nil) {
		return err
	}
	s.start()
	for {
		round := s.unknown.next()
		now := s.current.Load()
		switch {
		case now.loaded():
			return nil
		case now.closed:
			return fmt.Errorf("%s: %w", s.text, ErrUnavailable)
		}
		select {
		case <-round:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w: %w", s.text, s.current.Load().unavailable(), context.Cause(ctx))
		}
	}
}

// Lookup returns the keys that may have signed a token whose header names kid and alg, at least one and at most 4.
// Where kid is "", as in a token that names none, that is the only key of the set; a set of several has none for it.
// Lookup never waits. A set that nothing has used before begins to be kept fresh. The error is [ErrUnknownKey] or
// [ErrUnavailable].
func (s *Set) Lookup(kid string, alg jose.Algorithm) ([]*jose.PublicKey, error) {
	keys, err := s.current.Load().lookup(kid, alg)
	if err != nil {
		s.start()
	}
	return keys, err
}

// Holds reports whether this very key is still in the set.
func (s *Set) Holds(key *jose.PublicKey) bool { return key != nil && s.current.Load().keys.holds(key) }

// Generation counts the changes of the keys. It is 0 before the first reading, and increases also when the keys become
// too old and when the set is closed.
func (s *Set) Generation() uint64 { return s.current.Load().generation }

// Invalidate revokes the keys called kid at once, before it disappears from where the set comes from, and for as long
// as the process runs.
func (s *Set) Invalidate(kid string) {
	s.mu.Lock()
	s.banned[kid] = true
	s.mu.Unlock()
	s.change(func(before *snapshot) *snapshot { return before.without(kid) })
	s.nudge()
}

// load reads the source now, and returns its error. It takes 5 seconds at most. A closed set is ErrUnavailable.
func (s *Set) load(ctx context.Context) error {
	_ = s.fetch(ctx)
	now := s.current.Load()
	if now.closed {
		return ErrUnavailable
	}
	return now.err
}

// fetch reads the source and makes what it finds current. It returns when the next reading is due.
func (s *Set) fetch(ctx context.Context) time.Duration {
	s.fetching.Lock()
	defer s.fetching.Unlock()
	ctx, cancel := context.WithTimeout(ctx, s.config.timeout)
	defer cancel()
	s.unknown.begin(time.Now())
	doc, found, err := s.read(ctx)
	now := time.Now()
	s.change(func(before *snapshot) *snapshot {
		s.counts.fetches++
		if err != nil {
			s.counts.failures++
			return before.failed(err, found.skipped).aged(now, s.wall())
		}
		return before.next(doc, found, s.banned, s.config.maxStale, now)
	})
	s.unknown.end(now, err == nil, s.current.Load().keys)
	if err != nil {
		s.failures++
		return backoff.Full(backoff.Bound(firstRetry, lastRetry, s.failures), s.config.random)
	}
	s.failures = 0
	if doc.refresh == 0 {
		return never
	}
	return doc.refresh + time.Duration((2*s.config.random()-1)*refreshJitter*float64(doc.refresh))
}

// read asks the source. What it returns makes a set, or is an error: a panic too, because nothing that an issuer sends
// may end the process.
func (s *Set) read(ctx context.Context) (doc document, found contents, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("keyset: panic while the set was read: %v", r)
		}
	}()
	before := s.current.Load()
	doc, err = s.source.fetch(ctx, before.version)
	switch {
	case err != nil:
		return doc, found, err
	case doc.unchanged && !before.loaded():
		return doc, found, errors.New("keyset: the source says that nothing has changed, but there is nothing yet")
	case doc.unchanged:
		return doc, found, nil
	}
	found, err = ingest(doc.text, &s.config)
	return doc, found, err
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

package dedupe

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
)

// Option is an option of [New].
type Option interface {
	fmt.Stringer
	apply(*Deduplicator)
}

type option struct {
	text string
	set  func(*Deduplicator)
}

func (o option) String() string        { return o.text }
func (o option) apply(d *Deduplicator) { o.set(d) }

// WithStore keeps keys and answers in s. The default is NewMemory(0, 0).
func WithStore(s Store) Option {
	return option{"dedupe.WithStore(...)", func(d *Deduplicator) { d.store = s }}
}

// WithCaller gives each caller a space of keys of its own. Caller returns who the caller has proven to be, or "". It
// must not return what a caller merely claims.
func WithCaller(caller func(ctx context.Context) string) Option {
	return option{"dedupe.WithCaller(...)", func(d *Deduplicator) { d.caller = caller }}
}

// WithTTL keeps answers for ttl. It must be positive, and should be longer than callers go on retrying. The default is
// 10m.
func WithTTL(ttl time.Duration) Option {
	return option{fmt.Sprintf("dedupe.WithTTL(%v)", ttl), func(d *Deduplicator) { d.ttl = ttl }}
}

// WithHandlerTimeout ends the context of a handler with a key after limit, or at the deadline of its caller if that is
// later. It must be positive. The default is 30s.
func WithHandlerTimeout(limit time.Duration) Option {
	return option{fmt.Sprintf("dedupe.WithHandlerTimeout(%v)", limit), func(d *Deduplicator) { d.limit = limit }}
}

// WithUndone states that a handler which fails with one of these codes has done nothing, so that the next attempt may
// run it. The author of all handlers of the server must know that; where only some do, they call [Undone].
func WithUndone(list ...codes.Code) Option {
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = c.String()
	}
	return option{"dedupe.WithUndone(" + strings.Join(names, ", ") + ")", func(d *Deduplicator) {
		d.undone = append(d.undone, list...)
	}}
}

func (d *Deduplicator) check() error {
	var errs []error
	if d.store == nil {
		errs = append(errs, errors.New("dedupe.WithStore: the store is nil; leave the option out to keep keys in memory"))
	}
	if d.caller == nil {
		errs = append(
			errs,
			errors.New("dedupe.WithCaller: the function is nil; leave the option out where callers are not authenticated"),
		)
	}
	if d.ttl <= 0 {
		errs = append(errs, fmt.Errorf("dedupe.WithTTL: %v is not positive", d.ttl))
	}
	if d.limit <= 0 {
		errs = append(errs, fmt.Errorf("dedupe.WithHandlerTimeout: %v is not positive", d.limit))
	}
	for _, c := range d.undone {
		if c == codes.OK {
			errs = append(errs, errors.New("dedupe.WithUndone: OK is no failure; take it out"))
		}
	}
	return errors.Join(errs...)
}

package trustdir

import (
	"context"
	"errors"
	"fmt"
)

// Await is [Directory.Lookup] that waits, when the key is unknown or nothing was read yet, for one reading that begins
// after the call: a key that was published before it is found. That takes little more than a second at most, while the
// file system answers, and as long as ctx allows. Without Start it does not wait.
//
// The error is [ErrUnknownKey], [ErrRevoked], [ErrAmbiguous] or [ErrUnavailable], and wraps that of ctx when ctx ended the
// wait.
func (d *Directory) Await(ctx context.Context, kid string) (Entry, error) {
	target := d.rounds.target()
	for {
		entry, err := d.Lookup(kid)
		if !errors.Is(err, ErrUnknownKey) && !errors.Is(err, ErrUnavailable) {
			return entry, err
		}
		next, over := d.rounds.wait(target)
		if over {
			return d.current.Load().lookup(kid)
		}
		select {
		case <-next:
		case <-ctx.Done():
			return Entry{}, fmt.Errorf("%w: %w", err, context.Cause(ctx))
		}
	}
}

// target is the number of the first reading that begins after the call.
func (r *rounds) target() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.begun + 1
}

// wait returns what is closed at the end of the next reading, or true when the one with the number target has ended or
// will never be.
func (r *rounds) wait(target uint64) (next <-chan struct{}, over bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.next, r.ended >= target || r.asked == nil || r.stopped
}

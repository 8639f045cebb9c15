package trustdir

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Await is [Directory.Lookup] that waits, when the key is unknown or nothing was read yet, for one reading that begins
// after the call: a key that was published before it is found. That takes little more than a second at most, while the
// file system answers, and as long as ctx allows. Without Start it does not wait.
//
// The error is [ErrUnknownKey], [ErrRevoked], [ErrAmbiguous] or [ErrUnavailable], and wraps that of ctx when ctx ended
// the wait.
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

// rounds counts the readings, for the callers that wait for one.
type rounds struct {
	mu      sync.Mutex
	asked   chan struct{} // nil while nothing reads
	begun   uint64
	ended   uint64
	next    chan struct{} // closed at the end of the next reading
	stopped bool
}

func (r *rounds) start() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = make(chan struct{}, 1)
	return r.asked
}

// ask makes the directory be read again soon.
func (r *rounds) ask() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case r.asked <- struct{}{}:
	default:
	}
}

func (r *rounds) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begun++
}

func (r *rounds) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = r.begun
	close(r.next)
	r.next = make(chan struct{})
}

func (r *rounds) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = nil
	r.stopped = true
	close(r.next)
}

// target is the number of the first reading that begins after the call.
func (r *rounds) target() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.begun + 1
}

// wait returns a channel that is closed at the end of the next reading, or true when the reading with the number target
// has ended or will never be.
func (r *rounds) wait(target uint64) (next <-chan struct{}, over bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.next, r.ended >= target || r.asked == nil || r.stopped
}

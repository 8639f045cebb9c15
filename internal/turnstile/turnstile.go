// Package turnstile bounds how many signatures a server checks and makes at once, so that a flood of them leaves
// processors for the rest.
package turnstile

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"
)

// ErrOverloaded is matched by every error of [Turnstile.Enter].
var ErrOverloaded = errors.New("no turn at the signature check")

// Turnstile admits as many holders as there are processors. It is held around cryptography alone, never while waiting
// for a peer.
type Turnstile chan struct{}

// New returns an empty turnstile.
func New() Turnstile { return make(Turnstile, max(2, runtime.GOMAXPROCS(0))) }

// Enter waits for a turn, for wait at most. Every Enter without error needs a Leave.
func (t Turnstile) Enter(ctx context.Context, wait time.Duration) error {
	select {
	case t <- struct{}{}:
		return nil
	default:
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case t <- struct{}{}:
		return nil
	case <-timer.C:
		return ErrOverloaded
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrOverloaded, ctx.Err())
	}
}

// Leave gives the turn back.
func (t Turnstile) Leave() { <-t }

package auth

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"
)

var errOverloaded = errors.New("auth: no turn at the signature check")

// turnstile bounds how many signatures a server checks and makes at once: as many as there are processors. It is held
// around cryptography alone, never while waiting for a peer.
type turnstile chan struct{}

func newTurnstile() turnstile { return make(turnstile, max(2, runtime.GOMAXPROCS(0))) }

// enter waits for a turn, for signatureWait at most. Every enter without error needs a leave; every error is
// errOverloaded.
func (t turnstile) enter(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	default:
	}
	timer := time.NewTimer(signatureWait)
	defer timer.Stop()
	select {
	case t <- struct{}{}:
		return nil
	case <-timer.C:
		return errOverloaded
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", errOverloaded, ctx.Err())
	}
}

func (t turnstile) leave() { <-t }

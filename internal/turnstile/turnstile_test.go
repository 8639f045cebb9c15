package turnstile_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/turnstile"
)

func TestWhoFindsItHeldWaitsForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turn := turnstile.New()
		for range cap(turn) {
			if err := turn.Enter(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		if err := turn.Enter(t.Context(), time.Second); !errors.Is(err, turnstile.ErrOverloaded) ||
			time.Since(began) != time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := turn.Enter(ctx, time.Second); !errors.Is(err, turnstile.ErrOverloaded) ||
			!errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a context that has ended: %v", err)
		}
		time.AfterFunc(time.Millisecond, turn.Leave)
		if err := turn.Enter(t.Context(), time.Second); err != nil {
			t.Errorf("after a leave: %v", err)
		}
	})
}

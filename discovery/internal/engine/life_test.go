package engine_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/parley-rpc/parley/discovery/internal/engine"
)

// The goroutines and requests of a driver end with it, and the errors of the requests have the cause.
func TestLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := errors.New("closed")
		l := engine.NewLife(closed)
		ended := false
		if !l.Start(func() { <-l.Context().Done(); ended = true }) || l.Over() {
			t.Error("a life that has begun starts nothing")
		}
		request, cancel := l.Request(t.Context())
		defer cancel()
		if !l.End() || !ended {
			t.Error("End was not the first, or did not wait for the goroutines")
		}
		synctest.Wait()
		if cause := context.Cause(request); !errors.Is(cause, closed) {
			t.Errorf("a request ended with %v, want %v", cause, closed)
		}
		if l.End() || l.Start(func() {}) || !l.Over() {
			t.Error("a life that has ended ends again, or starts something")
		}
	})
}

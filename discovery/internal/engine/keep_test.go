package engine_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/discovery/internal/engine"
)

func TestKeep(t *testing.T) {
	const ttl = 15 * time.Second
	errBroken := errors.New("broken")
	for _, tt := range []struct {
		name        string
		renew       func(n int) (stands bool, err error)
		least, most time.Duration
	}{
		{"it ends when the lease is gone", func(n int) (bool, error) { return n < 3, nil }, 3 * ttl / 6, ttl},
		{"it ends with the lease when renewal fails", func(int) (bool, error) { return false, errBroken }, ttl, ttl},
		{"a failure in between is none", func(n int) (bool, error) {
			if n%2 == 1 {
				return false, errBroken
			}
			return n < 20, nil
		}, 10 * ttl / 6, 7 * ttl},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, began := 0, time.Now()
				last := began
				engine.Keep(t.Context(), ttl, began.Add(ttl), func(ctx context.Context) (time.Time, bool, error) {
					if gap := time.Since(last); gap > ttl/3 {
						t.Errorf("renewal %d came after %v; want a third of %v at most", n, gap, ttl)
					}
					last = time.Now()
					if _, ok := ctx.Deadline(); !ok {
						t.Error("a renewal has no deadline")
					}
					n++
					stands, err := tt.renew(n)
					return time.Now().Add(ttl), stands, err
				})
				if took := time.Since(began); took < tt.least || took > tt.most {
					t.Errorf("it ended after %v; want %v to %v", took, tt.least, tt.most)
				}
			})
		})
	}
}

func TestKeepEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		began := time.Now()
		engine.Keep(ctx, time.Second, began.Add(time.Second), func(context.Context) (time.Time, bool, error) {
			return time.Now().Add(time.Second), true, nil
		})
		if took := time.Since(began); took != time.Hour {
			t.Errorf("it ended after %v; want 1h", took)
		}
	})
}

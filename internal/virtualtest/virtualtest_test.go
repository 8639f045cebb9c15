package virtualtest_test

import (
	"context"
	"testing"
	"time"

	"github.com/parley-rpc/parley/internal/virtualtest"
)

// A later Go could want more of a test than its zero value. This says so before a user of the command does.
func TestRun(t *testing.T) {
	began, passed := time.Now(), time.Duration(0)
	virtualtest.Run(func() {
		from := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 24*time.Hour)
		defer cancel()
		<-ctx.Done()
		passed = time.Since(from)
	})
	if passed != 24*time.Hour || time.Since(began) >= passed {
		t.Errorf("%v passed inside, and %v outside", passed, time.Since(began))
	}
}

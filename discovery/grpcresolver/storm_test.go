package grpcresolver_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/discovery/mem"
)

// Every state makes the channel's balancing policy compare all endpoints and build a new picker.
func TestTenThousandChangesInTenSecondsAreTwentyPickersAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, cc := mem.New(), &screen{}
		in := payments("10.0.0.1:1")
		lease := announce(t, engine.Driver(), in)[0]
		r, err := build(t, newRegistry(t, engine.Driver()), "parley:///payments", cc)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		const changes = 10_000
		for range changes {
			in.Weight++
			if err := lease.Update(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second / changes)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		states, errs := cc.seen()
		if n := len(states); n > 20 || len(errs) > 0 {
			t.Errorf("%d states and %d errors were shown; want at most 20 and none", n, len(errs))
		}
	})
}

package discovery_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/mem"
)

func TestSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := mem.New()
		draining := one("b")
		draining.Draining = true
		other := open(t, engine.Driver())
		other.Register(t.Context(), draining)

		r := open(t, engine.Driver(), discovery.WithTTL(time.Hour))
		r.Register(t.Context(), one("a"))
		for _, service := range []string{"payments", "payments", "orders"} {
			_, cancel := subscribe(r, service)
			defer cancel()
		}
		synctest.Wait()
		engine.SetDown(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r.Register(ctx, one("c"))

		s := r.Snapshot()
		if s.Driver != "mem" || len(s.Services) != 2 || len(s.Registrations) != 2 {
			t.Fatalf("snapshot %+v; want mem with 2 services and 2 registrations", s)
		}
		orders, payments := s.Services[0], s.Services[1]
		if orders.Service != "orders" || orders.Users != 1 || !orders.State.Known || len(orders.Listed) != 0 {
			t.Errorf("first service %+v; want orders, known to be empty", orders)
		}
		if payments.Service != "payments" || payments.Users != 2 || payments.Restarts == 0 || payments.Shown < 2 ||
			payments.Changed.IsZero() ||
			!errors.Is(payments.State.Err, mem.ErrDown) {
			t.Errorf("second service %+v; want payments with 2 users, in trouble", payments)
		}
		if got := ids(payments.Listed); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("listed are %v; want draining ones too", got)
		}
		if got := ids(payments.State.Instances); !slices.Equal(got, []string{"a"}) {
			t.Errorf("the instances to call are %v; want only those that do not drain", got)
		}
		for i, want := range []struct {
			id         string
			registered bool
		}{{"a", true}, {"c", false}} {
			got := s.Registrations[i]
			if got.Instance.ID != want.id || got.Registered != want.registered || got.Registered != (got.Err == nil) ||
				(got.Announced == 1) != want.registered {
				t.Errorf("registration %d is %+v; want %+v", i, got, want)
			}
		}
		engine.SetDown(false)
	})
}

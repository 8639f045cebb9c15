package mem_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/mem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ttl = 10 * time.Second

func announce(t *testing.T, d driver.Driver, id string) driver.Lease {
	t.Helper()
	l, err := d.Announce(t.Context(), driver.Instance{ID: id, Service: "payments", Addresses: []string{id + ":1"}}, ttl)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// listed returns the IDs that the engine lists now.
func listed(t *testing.T, e *mem.Engine) []string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var ids []string
	err := e.Driver().Watch(ctx, "payments", func(list []driver.Instance) {
		for _, in := range list {
			ids = append(ids, in.ID)
		}
		cancel()
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	slices.Sort(ids)
	return ids
}

func lost(l driver.Lease) bool {
	select {
	case <-l.Lost():
		return true
	default:
		return false
	}
}

// The table shows how long entries and leases stay after each event.
func TestLeases(t *testing.T) {
	for _, tt := range []struct {
		name   string
		act    func(t *testing.T, e *mem.Engine, d driver.Driver)
		after  time.Duration
		lost   bool
		listed bool
	}{
		{"an instance stays as long as its driver", func(*testing.T, *mem.Engine, driver.Driver) {}, 100 * ttl, false, true},
		{"an outage shorter than the ttl ends nothing", func(_ *testing.T, e *mem.Engine, _ driver.Driver) {
			e.SetDown(true)
			time.Sleep(ttl - 1)
			e.SetDown(false)
		}, 100 * ttl, false, true},
		{"an outage as long as the ttl ends the lease", func(_ *testing.T, e *mem.Engine, _ driver.Driver) {
			e.SetDown(true)
			time.Sleep(ttl)
			e.SetDown(false)
		}, 0, true, false},
		{"short outages do not add up", func(_ *testing.T, e *mem.Engine, _ driver.Driver) {
			for range 10 {
				e.SetDown(true)
				time.Sleep(ttl / 2)
				e.SetDown(false)
			}
		}, 0, false, true},
		{
			"a closed driver loses its leases at once", func(_ *testing.T, _ *mem.Engine, d driver.Driver) { _ = d.Close() },
			ttl - 1, true, true,
		},
		{
			"and its entries with the ttl", func(_ *testing.T, _ *mem.Engine, d driver.Driver) { _ = d.Close() }, ttl, true,
			false,
		},
		{"an outage in between does not prolong that", func(_ *testing.T, e *mem.Engine, d driver.Driver) {
			_ = d.Close()
			time.Sleep(ttl - 1)
			e.SetDown(true)
			e.SetDown(false)
		}, 1, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := mem.New()
				d := e.Driver()
				l := announce(t, d, "a")
				tt.act(t, e, d)
				time.Sleep(tt.after)
				synctest.Wait()
				if lost(l) != tt.lost {
					t.Errorf("lost: %v; want %v", lost(l), tt.lost)
				}
				if got := len(listed(t, e)) == 1; got != tt.listed {
					t.Errorf("listed: %v; want %v", got, tt.listed)
				}
			})
		})
	}
}

func TestLastOneWinsAndItsDeletionIsALossForBoth(t *testing.T) {
	e := mem.New()
	d := e.Driver()
	older, newer := announce(t, d, "a"), announce(t, d, "a")
	if lost(older) {
		t.Error("being replaced is a loss")
	}
	e.DeleteEntry("payments", "nobody")
	e.DeleteEntry("payments", "a")
	if !lost(older) || !lost(newer) {
		t.Errorf("after the deletion: older lost: %v, newer lost: %v; want both", lost(older), lost(newer))
	}
}

func TestLoseLeasesLosesAll(t *testing.T) {
	e := mem.New()
	d := e.Driver()
	leases := []driver.Lease{announce(t, d, "a"), announce(t, d, "a"), announce(t, d, "b")}
	e.LoseLeases()
	for i, l := range leases {
		if !lost(l) {
			t.Errorf("lease %d is not lost", i)
		}
	}
	if ids := listed(t, e); len(ids) != 0 {
		t.Errorf("still listed: %v", ids)
	}
}

func TestEnginesAreStrangers(t *testing.T) {
	e := mem.New()
	announce(t, e.Driver(), "a")
	if ids := listed(t, mem.New()); len(ids) != 0 {
		t.Errorf("another engine lists %v", ids)
	}
}

func TestErrors(t *testing.T) {
	e := mem.New()
	d := e.Driver()
	l := announce(t, d, "a")
	e.SetDown(true)
	in := driver.Instance{ID: "a", Service: "payments", Addresses: []string{"a:1"}}
	if err := l.Update(t.Context(), in); !errors.Is(err, mem.ErrDown) {
		t.Errorf("Update while down: %v; want ErrDown", err)
	}
	if err := l.Revoke(t.Context()); !errors.Is(err, mem.ErrDown) {
		t.Errorf("Revoke while down: %v; want ErrDown", err)
	}
	e.SetDown(false)
	if err := l.Update(t.Context(), in); !errors.Is(err, mem.ErrLeaseEnded) {
		t.Errorf("Update after Revoke: %v; want ErrLeaseEnded", err)
	}
	if err := l.Revoke(t.Context()); err != nil {
		t.Errorf("Revoke again: %v", err)
	}
	if ids := listed(t, e); len(ids) != 0 {
		t.Errorf("still listed: %v", ids)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Announce(t.Context(), in, ttl); !errors.Is(err, mem.ErrClosed) {
		t.Errorf("Announce after Close: %v; want ErrClosed", err)
	}
}

func TestFrozenEngineEndsWatchesAfterASecondAndLeasesWithTheirTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := mem.New()
		d := e.Driver()
		short, long := announce(t, d, "a"), e.Driver()
		ended := make(chan time.Duration, 2)
		began := time.Now()
		watch := func() {
			err := d.Watch(t.Context(), "payments", func([]driver.Instance) {})
			if !errors.Is(err, mem.ErrSilent) {
				t.Errorf("Watch: %v; want ErrSilent", err)
			}
			ended <- time.Since(began)
		}
		go watch()
		synctest.Wait()
		e.SetFrozen(true)
		go watch()
		for range 2 {
			if took := <-ended; took != time.Second {
				t.Errorf("a watch ended after %v; want 1s", took)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := long.Announce(
			ctx, driver.Instance{ID: "b", Service: "payments", Addresses: []string{"b:1"}}, ttl,
		); !errors.Is(
			err,
			context.DeadlineExceeded,
		) {
			t.Errorf("Announce: %v; want it to wait for its context", err)
		}
		time.Sleep(ttl)
		synctest.Wait()
		if !lost(short) {
			t.Error("a lease that cannot be renewed is not lost")
		}
		e.SetFrozen(false)
		if ids := listed(t, e); len(ids) != 0 {
			t.Errorf("listed are %v; want the lease to have run out", ids)
		}
	})
}

func TestSlowEngineAnswersLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := mem.New()
		d := e.Driver()
		e.SetDelay(300 * time.Millisecond)
		began := time.Now()
		l := announce(t, d, "a")
		if got := listed(t, e); !slices.Equal(got, []string{"a"}) {
			t.Errorf("listed are %v", got)
		}
		if err := l.Revoke(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 900*time.Millisecond {
			t.Errorf("three answers took %v; want 900ms", took)
		}
	})
}

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

// How long entries and leases outlive what happens to them.
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
		{"a closed driver loses its leases at once", func(_ *testing.T, _ *mem.Engine, d driver.Driver) { _ = d.Close() }, ttl - 1, true, true},
		{"and its entries with the ttl", func(_ *testing.T, _ *mem.Engine, d driver.Driver) { _ = d.Close() }, ttl, true, false},
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

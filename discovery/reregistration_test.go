package discovery_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/mem"
)

func TestRegisterWaitsForTheContextAloneAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := mem.New()
		engine.SetDown(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		reg := open(t, engine.Driver()).Register(ctx, one("a"))
		if took := time.Since(began); took != time.Second {
			t.Errorf("Register took %v; want 1s", took)
		}
		if reg.Registered() || !errors.Is(reg.Err(), mem.ErrDown) {
			t.Errorf("registered: %v, error: %v; want ErrDown", reg.Registered(), reg.Err())
		}

		began = time.Now()
		if err := reg.Update(t.Context(), func(in *discovery.Instance) { in.Weight = 5 }); !errors.Is(err, mem.ErrDown) {
			t.Errorf("Update: %v; want ErrDown", err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("Update took %v; want it to say at once that the instance is not registered", took)
		}

		time.Sleep(time.Hour)
		engine.SetDown(false)
		time.Sleep(5 * time.Second)
		want := one("a")
		want.Weight = 5
		wantListed(t, engine, want)
		if !reg.Registered() || reg.Err() != nil {
			t.Errorf("registered: %v, error: %v", reg.Registered(), reg.Err())
		}
	})
}

func TestLostRegistrationComesBack(t *testing.T) {
	for _, tt := range []struct {
		name   string
		damage func(*mem.Engine)
	}{
		{"lease ended", (*mem.Engine).LoseLeases},
		{"entry deleted", func(e *mem.Engine) { e.DeleteEntry("payments", "a") }},
		{"outage longer than the lease", func(e *mem.Engine) {
			e.SetDown(true)
			time.Sleep(time.Minute)
			e.SetDown(false)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				engine := mem.New()
				reg := open(t, engine.Driver()).Register(t.Context(), one("a"))
				for range 3 {
					tt.damage(engine)
					time.Sleep(5 * time.Second)
					wantListed(t, engine, one("a"))
					if !reg.Registered() {
						t.Errorf("not registered: %v", reg.Err())
					}
					time.Sleep(time.Minute)
				}
			})
		})
	}
}

func TestShortOutageIsNoLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := mem.New()
		reg := open(t, engine.Driver()).Register(t.Context(), one("a"))
		engine.SetDown(true)
		time.Sleep(14 * time.Second)
		if !reg.Registered() {
			t.Error("lost before the ttl has passed")
		}
		engine.SetDown(false)
		time.Sleep(time.Minute)
		wantListed(t, engine, one("a"))
	})
}

// stiff is a lease that cannot be updated and counts how often it is revoked.
type stiff struct {
	driver.Lease
	revoked *int
}

func (stiff) Update(context.Context, discovery.Instance) error { return errBroken }

func (l stiff) Revoke(ctx context.Context) error {
	*l.revoked++
	return l.Lease.Revoke(ctx)
}

func TestFailedUpdateIsAnnouncedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := mem.New()
		d := engine.Driver()
		s := newStage()
		revoked := 0
		s.announce = func(ctx context.Context, in discovery.Instance) (driver.Lease, error) {
			lease, err := d.Announce(ctx, in, 15*time.Second)
			return stiff{lease, &revoked}, err
		}
		reg := open(t, s).Register(t.Context(), one("a"))
		if err := reg.Update(t.Context(), func(in *discovery.Instance) { in.Weight = 5 }); !errors.Is(err, errBroken) {
			t.Errorf("Update: %v; want the engine's error", err)
		}
		time.Sleep(time.Second)
		want := one("a")
		want.Weight = 5
		wantListed(t, engine, want)
		synctest.Wait()
		if revoked != 1 {
			t.Errorf("the former lease was revoked %d times; want once, so that nothing renews it", revoked)
		}
		if !reg.Registered() {
			t.Errorf("not registered: %v", reg.Err())
		}
	})
}

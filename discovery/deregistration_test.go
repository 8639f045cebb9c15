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

func TestDeregisterDuringAnOutageSaysSoAndMayBeRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := mem.New()
		reg := open(t, engine.Driver()).Register(t.Context(), one("a"))
		engine.SetDown(true)
		if err := reg.Deregister(t.Context()); !errors.Is(err, mem.ErrDown) {
			t.Errorf("Deregister: %v; want ErrDown", err)
		}
		engine.SetDown(false)
		if err := reg.Deregister(t.Context()); err != nil {
			t.Errorf("Deregister: %v", err)
		}
		wantListed(t, engine)
	})
}

func TestAnnouncementThatComesTooLateIsRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, s := mem.New(), newStage()
		d := engine.Driver()
		s.announce = func(ctx context.Context, in discovery.Instance) (driver.Lease, error) {
			time.Sleep(time.Minute)
			return d.Announce(context.WithoutCancel(ctx), in, time.Hour)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		reg := open(t, s).Register(ctx, one("a"))
		if err := reg.Deregister(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantListed(t, engine)
		if reg.Registered() || !errors.Is(reg.Err(), discovery.ErrDeregistered) {
			t.Errorf("registered: %v, error: %v; want ErrDeregistered", reg.Registered(), reg.Err())
		}
	})
}

func TestDeregisterBeforeTheEngineAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.announce = func(ctx context.Context, _ discovery.Instance) (driver.Lease, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		reg := open(t, s).Register(ctx, one("a"))
		if reg.Registered() || reg.Err() != nil {
			t.Errorf("registered: %v, error: %v; want to know nothing yet", reg.Registered(), reg.Err())
		}
		if err := reg.Deregister(t.Context()); err != nil {
			t.Errorf("Deregister: %v", err)
		}
	})
}

func TestCloseRevokesWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := mem.New()
		r := discovery.New(engine.Driver())
		reg := r.Register(t.Context(), one("a"))
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		wantListed(t, engine)
		if reg.Registered() {
			t.Error("registered after Close")
		}
		if late := r.Register(t.Context(), one("b")); late.Registered() || !errors.Is(late.Err(), discovery.ErrClosed) {
			t.Errorf("Register after Close: registered: %v, error: %v; want ErrClosed", late.Registered(), late.Err())
		}
	})
}

func TestCloseDuringAnOutageIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.announce = func(context.Context, discovery.Instance) (driver.Lease, error) { return hanging{}, nil }
		r := discovery.New(s)
		r.Register(t.Context(), one("a"))
		began := time.Now()
		if err := r.Close(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v; want an error about the time limit of revoking", err)
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("Close took %v; want 2s", took)
		}
	})
}

// hanging is a lease whose engine does not answer.
type hanging struct{ driver.Lease }

func (hanging) Lost() <-chan struct{} { return nil }

func (hanging) Revoke(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

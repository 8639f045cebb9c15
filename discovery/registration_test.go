package discovery_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/mem"
)

// look returns the instances of payments that the engine lists.
func look(t *testing.T, engine *mem.Engine) []discovery.Instance {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var listed []discovery.Instance
	err := engine.Driver().Watch(ctx, "payments", func(list []discovery.Instance) {
		listed = list
		cancel()
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	return listed
}

func wantListed(t *testing.T, engine *mem.Engine, want ...discovery.Instance) {
	t.Helper()
	got := look(t, engine)
	if len(got) != len(want) || len(want) > 0 && !got[0].Equal(want[0]) {
		t.Errorf("the engine lists %+v; want %+v", got, want)
	}
}

func TestRegisterUpdateDeregister(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := mem.New()
		reg := open(t, engine.Driver()).Register(t.Context(), one("a"))
		if !reg.Registered() || reg.Err() != nil {
			t.Fatalf("registered: %v, error: %v", reg.Registered(), reg.Err())
		}
		wantListed(t, engine, one("a"))

		want := one("a")
		want.Draining, want.Weight, want.Metadata = true, 3, map[string]string{"build": "7"}
		if err := reg.Update(t.Context(), func(in *discovery.Instance) { *in = want.Clone() }); err != nil {
			t.Fatal(err)
		}
		wantListed(t, engine, want)
		time.Sleep(time.Hour)
		wantListed(t, engine, want)

		for range 2 {
			if err := reg.Deregister(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantListed(t, engine)
		}
		if reg.Registered() || !errors.Is(reg.Err(), discovery.ErrDeregistered) {
			t.Errorf("after Deregister: registered: %v, error: %v", reg.Registered(), reg.Err())
		}
		if err := reg.Update(t.Context(), func(in *discovery.Instance) { in.Weight = 9 }); !errors.Is(
			err,
			discovery.ErrDeregistered,
		) {
			t.Errorf("Update after Deregister: %v; want ErrDeregistered", err)
		}
	})
}

func TestInstanceWithoutAnIDGetsItsAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, in := mem.New(), one("a")
		in.ID = ""
		open(t, engine.Driver()).Register(t.Context(), in)
		in.ID = in.Addresses[0]
		wantListed(t, engine, in)
	})
}

func TestWhatCannotBeAnnouncedIsNotTried(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*discovery.Instance)
		want   string
	}{
		{"no service", func(in *discovery.Instance) { in.Service = "" }, `service name ""`},
		{"a service with a slash", func(in *discovery.Instance) { in.Service = "a/b" }, `service name "a/b"`},
		{"an ID with a slash", func(in *discovery.Instance) { in.ID = "a/b" }, `ID "a/b"`},
		{"an ID with a space", func(in *discovery.Instance) { in.ID = "a b" }, `ID "a b"`},
		{"no address", func(in *discovery.Instance) { in.Addresses = nil }, "no address"},
		{"an empty address", func(in *discovery.Instance) { in.Addresses = []string{""} }, "no address"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := one("a")
			tt.change(&in)
			reg := open(t, newStage()).Register(t.Context(), in)
			if reg.Registered() || reg.Err() == nil || !strings.Contains(reg.Err().Error(), tt.want) {
				t.Errorf("registered: %v, error: %v; want one that says %s", reg.Registered(), reg.Err(), tt.want)
			}
			if err := reg.Update(t.Context(), func(*discovery.Instance) {}); err == nil {
				t.Error("Update returns nil")
			}
			if err := reg.Deregister(t.Context()); err != nil {
				t.Errorf("Deregister: %v", err)
			}
		})
	}
}

func TestUpdateRefusesWhatCannotBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := mem.New()
		reg := open(t, engine.Driver()).Register(t.Context(), one("a"))
		for what, change := range map[string]func(*discovery.Instance){
			"another ID":      func(in *discovery.Instance) { in.ID = "b" },
			"another service": func(in *discovery.Instance) { in.Service = "orders" },
			"no address":      func(in *discovery.Instance) { in.Addresses = nil },
		} {
			if err := reg.Update(t.Context(), change); err == nil {
				t.Errorf("%s: Update returns nil", what)
			}
		}
		wantListed(t, engine, one("a"))
		if !reg.Registered() {
			t.Error("a refused change ended the registration")
		}
	})
}

func TestPlatformThatRegistersIsEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := open(t, newStage()).Register(t.Context(), one("a"))
		if !reg.Registered() || reg.Err() != nil {
			t.Errorf("registered: %v, error: %v; want it to be the platform's", reg.Registered(), reg.Err())
		}
		if err := reg.Update(t.Context(), func(in *discovery.Instance) { in.Draining = true }); err != nil {
			t.Errorf("Update: %v", err)
		}
		if err := reg.Deregister(t.Context()); err != nil {
			t.Errorf("Deregister: %v", err)
		}
		if reg.Registered() {
			t.Error("registered after Deregister")
		}
	})
}

func TestInstanceIsNotSharedWithItsOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, in := mem.New(), one("a")
		in.Metadata = map[string]string{"build": "1"}
		want := in.Clone()
		reg := open(t, engine.Driver()).Register(t.Context(), in)
		in.Metadata["build"] = "changed"
		wantListed(t, engine, want)

		labels := map[string]string{"build": "2"}
		if err := reg.Update(t.Context(), func(in *discovery.Instance) { in.Metadata = labels }); err != nil {
			t.Fatal(err)
		}
		labels["build"] = "changed"
		want.Metadata["build"] = "2"
		wantListed(t, engine, want)
	})
}

func TestManyUpdatesAtOnceLeaveTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := mem.New()
		reg := open(t, engine.Driver()).Register(t.Context(), one("a"))
		var updating sync.WaitGroup
		for range 100 {
			updating.Go(func() {
				if err := reg.Update(t.Context(), func(in *discovery.Instance) { in.Weight++ }); err != nil {
					t.Error(err)
				}
			})
		}
		updating.Wait()
		want := one("a")
		want.Weight = 100
		wantListed(t, engine, want)
	})
}

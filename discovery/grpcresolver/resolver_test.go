package grpcresolver_test

import (
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/experimental/balancer/weight"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/grpcresolver"
	"github.com/parley-rpc/parley/discovery/mem"
)

// screen is a channel that records the states that a resolver sends.
type screen struct {
	mu     sync.Mutex
	states []resolver.State
	errs   []error
}

func (s *screen) UpdateState(state resolver.State) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.states = append(s.states, state)
	return nil
}

func (s *screen) ReportError(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs = append(s.errs, err)
}

// seen returns the states that were sent so far.
func (s *screen) seen() ([]resolver.State, []error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.states), slices.Clone(s.errs)
}

func (s *screen) NewAddress([]resolver.Address) {}

func (s *screen) ParseServiceConfig(string) *serviceconfig.ParseResult { return nil }

func build(t *testing.T, reg *discovery.Registry, target string, cc resolver.ClientConn) (resolver.Resolver, error) {
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	return grpcresolver.Builder(reg, "parley").Build(resolver.Target{URL: *u}, cc, resolver.BuildOptions{})
}

func TestTargets(t *testing.T) {
	for _, tt := range []struct {
		target string
		ok     bool
	}{
		{"parley:///payments", true},
		{"parley:payments", true},
		{"parley:///shop.payments-v2", true},
		{"parley:///", false},
		{"parley://payments", false},
		{"parley://registry/payments", false},
		{"parley:///shop/payments", false},
		{"parley:///payments:8443", false},
		{"parley:///payments?zone=a", false},
		{"parley:///payments#a", false},
		{"parley:///..", false},
		{"parley:///pay%20ments", false},
	} {
		t.Run(tt.target, func(t *testing.T) {
			reg := newRegistry(t, mem.New().Driver())
			r, err := build(t, reg, tt.target, &screen{})
			if tt.ok != (err == nil) {
				t.Fatalf("Build: %v; want ok: %v", err, tt.ok)
			}
			if err != nil {
				if !strings.Contains(err.Error(), "parley:///payments") {
					t.Errorf("%v; want it to show a good target", err)
				}
				return
			}
			r.ResolveNow(resolver.ResolveNowOptions{})
			r.Close()
			r.Close()
		})
	}
}

func TestEndpointsCarryInstances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, cc := mem.New(), &screen{}
		in := discovery.Instance{
			ID: "a", Service: "payments", Addresses: []string{"10.0.0.1:1", "[2001:db8::1]:1"}, Zone: "z", Weight: 7,
			Metadata: map[string]string{"server_name": "evil.example.com"},
		}
		announce(t, engine.Driver(), in, payments("10.0.0.2:1"))
		r, err := build(t, newRegistry(t, engine.Driver()), "parley:///payments", cc)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		states, _ := cc.seen()
		if len(states) != 1 || len(states[0].Endpoints) != 2 {
			t.Fatalf("the channel was shown %+v; want one state with 2 endpoints", states)
		}
		endpoint := states[0].Endpoints[1]
		if got, ok := grpcresolver.Instance(endpoint); !ok || !got.Equal(in) {
			t.Errorf("Instance: %+v, %v; want %+v", got, ok, in)
		}
		if got := weight.FromEndpoint(endpoint).Weight; got != 7 {
			t.Errorf("weight %d; want 7", got)
		}
		if got := weight.FromEndpoint(states[0].Endpoints[0]).Weight; got != 1 {
			t.Errorf("the weight of an instance without one is %d; want 1", got)
		}
		for i, addr := range endpoint.Addresses {
			if want := (resolver.Address{Addr: in.Addresses[i]}); !addr.Equal(want) {
				t.Errorf("address %+v; want only %q", addr, want.Addr)
			}
		}
		if _, ok := grpcresolver.Instance(resolver.Endpoint{}); ok {
			t.Error("Instance finds one on a foreign endpoint")
		}
		r.Close()
	})
}

func TestChannelIsShownOnlyWhatChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, cc := mem.New(), &screen{}
		announce(t, engine.Driver(), payments("10.0.0.1:1"))
		r, err := build(t, newRegistry(t, engine.Driver()), "parley:///payments", cc)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		engine.SetDown(true) // shorter than the lease, so that nothing changes
		time.Sleep(10 * time.Second)
		engine.SetDown(false)
		time.Sleep(time.Minute)
		if states, errs := cc.seen(); len(states) != 1 || len(errs) != 0 {
			t.Errorf("the channel was shown %d states and %v; want 1 state and no error", len(states), errs)
		}
		r.Close()
		announce(t, engine.Driver(), payments("10.0.0.2:1"))
		time.Sleep(time.Minute)
		if states, _ := cc.seen(); len(states) != 1 {
			t.Error("a closed resolver goes on")
		}
	})
}

func TestEndpointsEqual(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, cc := mem.New(), &screen{}
		in := payments("10.0.0.1:1")
		in.Metadata = map[string]string{"build": "1"}
		leases := announce(t, engine.Driver(), in)
		reg := newRegistry(t, engine.Driver())
		shown := func() resolver.Endpoint {
			r, err := build(t, reg, "parley:///payments", cc)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			time.Sleep(time.Second)
			states, _ := cc.seen()
			return states[len(states)-1].Endpoints[0]
		}
		before, again := shown(), shown()
		if !before.Attributes.Equal(again.Attributes) {
			t.Error("endpoints of the same instance differ")
		}
		in.Metadata = map[string]string{"build": "2"}
		if err := leases[0].Update(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		if before.Attributes.Equal(shown().Attributes) {
			t.Error("endpoints of different instances are equal")
		}
	})
}

package grpcbalancer_test

import (
	"context"
	"encoding/json"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/grpcbalancer"
	"github.com/parley-rpc/parley/discovery/grpcresolver"
	"github.com/parley-rpc/parley/discovery/mem"
)

// found makes a channel that finds the instances in discovery.
func (s *servers) found(t *testing.T, b grpcbalancer.Balancing, instances ...discovery.Instance) *grpc.ClientConn {
	if err := b.Check(); err != nil {
		t.Fatal(err)
	}
	reg := discovery.New(mem.New().Driver())
	for _, in := range instances {
		in.Service, in.Addresses = "health", []string{in.ID + ":443"}
		if err := reg.Register(t.Context(), in).Err(); err != nil {
			t.Fatal(err)
		}
	}
	options := append(
		grpcresolver.DialOptions(reg, "parley"),
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
			return s.dial(ctx, strings.TrimSuffix(addr, ":443"))
		}),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(textOf(t, b)),
	)
	cc, err := grpc.NewClient("parley:///health", options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cc.Close(); err != nil {
			t.Error(err)
		}
		if err := reg.Close(); err != nil {
			t.Error(err)
		}
	})
	cc.Connect()
	time.Sleep(time.Second)
	return cc
}

func textOf(t *testing.T, b grpcbalancer.Balancing) string {
	text, err := json.Marshal(map[string]any{
		"loadBalancingConfig": []any{b.Config()},
		"healthCheckConfig":   map[string]any{"serviceName": ""},
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// among counts which servers answer n calls.
func among(t *testing.T, cc *grpc.ClientConn, n int) map[string]int {
	t.Helper()
	count := make(map[string]int)
	for range n {
		addr, err := ask(t, cc)
		if err != nil {
			t.Fatal(err)
		}
		count[addr]++
	}
	return count
}

func near(got, want int) bool { return got >= want-2 && got <= want+2 }

func TestZoneWeighted(t *testing.T) {
	for _, tt := range []struct {
		name      string
		instances []discovery.Instance
		want      map[string]int // of 300 calls
	}{
		{
			"no zones and no weights: in turn",
			[]discovery.Instance{{ID: "one"}, {ID: "two"}, {ID: "three"}},
			map[string]int{"one": 100, "two": 100, "three": 100},
		},
		{
			"by weight",
			[]discovery.Instance{{ID: "one", Weight: 4}, {ID: "two"}, {ID: "three"}},
			map[string]int{"one": 200, "two": 50, "three": 50},
		},
		{
			"the zone of the process",
			[]discovery.Instance{{ID: "one", Zone: "a"}, {ID: "two", Zone: "a"}, {ID: "three", Zone: "b"}},
			map[string]int{"one": 150, "two": 150},
		},
		{
			"the zone of the process by weight",
			[]discovery.Instance{{ID: "one", Zone: "a", Weight: 2}, {ID: "two", Zone: "a"}, {ID: "three", Zone: "b", Weight: 9}},
			map[string]int{"one": 200, "two": 100},
		},
		{
			"no instance in the zone of the process",
			[]discovery.Instance{{ID: "one", Zone: "b"}, {ID: "two", Zone: "c"}, {ID: "three"}},
			map[string]int{"one": 100, "two": 100, "three": 100},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cc := serve(t).found(t, grpcbalancer.Balancing{Zone: "a"}, tt.instances...)
				got := among(t, cc, 300)
				for _, in := range tt.instances {
					if !near(got[in.ID], tt.want[in.ID]) {
						t.Errorf("of 300 calls %v went to %v; want %v", got, in.ID, tt.want)
					}
				}
			})
		})
	}
}

// The zone gets 140% of its share of healthy weight, so a quarter of it takes 35% of the calls.
func TestCallsSpillOverWhenTheZoneFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		cc := s.found(
			t,
			grpcbalancer.Balancing{Zone: "a"},
			discovery.Instance{
				ID:     "one",
				Zone:   "a",
				Weight: 3,
			},
			discovery.Instance{ID: "two", Zone: "a"},
			discovery.Instance{ID: "three", Zone: "b"},
		)
		for _, step := range []struct {
			name             string
			one, two         bool
			wantOne, wantTwo int // of 300 calls
		}{
			{"whole", true, true, 225, 75},
			{"three quarters are enough", true, false, 300, 0},
			{"a quarter is left", false, true, 0, 105},
			{"nothing is left", false, false, 0, 0},
			{"back again", true, true, 225, 75},
		} {
			s.health["one"].SetServingStatus("", serving(step.one))
			s.health["two"].SetServingStatus("", serving(step.two))
			synctest.Wait()
			if got := among(t, cc, 300); !near(got["one"], step.wantOne) || !near(got["two"], step.wantTwo) {
				t.Errorf("%s: calls went to %v; want %d to one and %d to two", step.name, got, step.wantOne, step.wantTwo)
			}
		}
	})
}

// The calls of a paused instance go to the other zone, not to the other instances of its zone.
func TestCallsSpillOverWhenTheZoneIsOverloaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		cc := s.found(
			t,
			grpcbalancer.Balancing{Zone: "a"},
			discovery.Instance{
				ID:   "one",
				Zone: "a",
			},
			discovery.Instance{ID: "two", Zone: "a"},
			discovery.Instance{ID: "three", Zone: "b"},
		)
		s.meet = func(ctx context.Context, addr string) error {
			if addr != "one" {
				return nil
			}
			return rest(ctx, 10*time.Second)
		}
		for asked := false; !asked; {
			_, err := ask(t, cc)
			asked = err != nil
		}
		s.meet = nil
		if got := among(t, cc, 300); got["one"] != 0 || !near(got["two"], 150) || !near(got["three"], 150) {
			t.Errorf("during the pause calls went to %v; want half to two and half to three", got)
		}
		time.Sleep(10 * time.Second)
		if got := among(t, cc, 300); !near(got["one"], 150) || got["three"] != 0 {
			t.Errorf("after the pause calls went to %v; want half to each of the zone", got)
		}
	})
}

// A zone of one instance would have nothing else to offer to a second attempt.
func TestFurtherAttemptsLeaveTheZone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := serve(t).found(t, grpcbalancer.Balancing{Zone: "a"},
			discovery.Instance{ID: "one", Zone: "a"}, discovery.Instance{ID: "two", Zone: "b"})
		for range 10 {
			if choice, err := send(t, cc, 2, "one:443"); err != nil || choice.Endpoint != "two:443" {
				t.Fatalf("the second attempt went to %v (%v); want the other zone", choice, err)
			}
		}
	})
}

func serving(yes bool) healthpb.HealthCheckResponse_ServingStatus {
	if yes {
		return healthpb.HealthCheckResponse_SERVING
	}
	return healthpb.HealthCheckResponse_NOT_SERVING
}

package grpcbalancer_test

import (
	"encoding/json"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/grpcbalancer"
	"github.com/parley-rpc/parley/discovery/grpcresolver"
	"github.com/parley-rpc/parley/discovery/mem"
)

func TestTenThousandChangesInTenSecondsAreTwentyPickersAtMost(t *testing.T) {
	for name, b := range map[string]grpcbalancer.Balancing{
		"all instances": {Zone: "a", Subset: grpcbalancer.Subset{Size: -1}},
		"a subset":      {Zone: "a", Subset: grpcbalancer.Subset{Above: 2, Size: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				engine := mem.New()
				var lease driver.Lease
				in := discovery.Instance{Service: "health", Zone: "a"}
				for _, addr := range []string{"one", "two", "three"} {
					in.ID, in.Addresses = addr, []string{addr}
					var err error
					if lease, err = engine.Driver().Announce(t.Context(), in, time.Minute); err != nil {
						t.Fatal(err)
					}
				}
				counts, cc := pickersOf(t, serve(t), engine, b)
				spread(t, cc)
				counts.Store(0)
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
				if n := counts.Load(); n == 0 || n > 20 {
					t.Errorf("%d pickers were built; want at most 20", n)
				}
			})
		})
	}
}

// pickersOf makes a channel that counts the pickers that it is given.
func pickersOf(
	t *testing.T,
	s *servers,
	engine *mem.Engine,
	b grpcbalancer.Balancing,
) (*atomic.Int64, *grpc.ClientConn) {
	t.Helper()
	reg := discovery.New(engine.Driver())
	config, err := json.Marshal(map[string]any{
		"loadBalancingConfig": []any{map[string]any{pickersName: b.Config()[grpcbalancer.Name]}},
		"healthCheckConfig":   map[string]any{"serviceName": ""},
	})
	if err != nil {
		t.Fatal(err)
	}
	cc, err := grpc.NewClient(
		"parley:///health",
		append(grpcresolver.DialOptions(reg, "parley"), grpc.WithContextDialer(s.dial),
			grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultServiceConfig(string(config)))...)
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
	counter, ok := balancer.Get(pickersName).(*pickers)
	if !ok {
		t.Fatal(pickersName + " is not registered")
	}
	return &counter.built, cc
}

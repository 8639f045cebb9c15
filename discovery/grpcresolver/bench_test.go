package grpcresolver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"runtime"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/grpcbalancer"
	"github.com/parley-rpc/parley/discovery/grpcresolver"
	"github.com/parley-rpc/parley/discovery/mem"
)

// observed is a resolver builder that reports when the channel has accepted a state.
type observed struct {
	resolver.Builder
	taken chan struct{}
}

func (o observed) Build(
	target resolver.Target,
	cc resolver.ClientConn,
	opts resolver.BuildOptions,
) (resolver.Resolver, error) {
	return o.Builder.Build(target, observedChannel{cc, o.taken}, opts)
}

type observedChannel struct {
	resolver.ClientConn
	taken chan struct{}
}

func (c observedChannel) UpdateState(s resolver.State) error {
	err := c.ClientConn.UpdateState(s)
	c.taken <- struct{}{}
	return err
}

const many = 1000

// ways are the default policy with every instance and with a subset, where instances have zones and weights.
var ways = []struct {
	name      string
	connected int
	balancing grpcbalancer.Balancing
}{
	{"all", many, grpcbalancer.Balancing{Zone: "a", Subset: grpcbalancer.Subset{Size: -1}}},
	{"subset", 20, grpcbalancer.Balancing{Zone: "a"}},
}

// fleet announces many instances, half of them in the zone a, and returns the first with its lease.
func fleet(b *testing.B, engine *mem.Engine) (discovery.Instance, driver.Lease) {
	b.Helper()
	d := engine.Driver()
	list := make([]discovery.Instance, many)
	for i := range list {
		list[i] = payments(fmt.Sprintf("10.0.%d.%d:1", i>>8, i&255))
		list[i].Weight, list[i].Zone = 1, []string{"a", "b"}[i%2]
	}
	return list[0], announce(b, d, list...)[0]
}

// BenchmarkChannelUpdate1000 is the time between a change of one of 1,000 instances in the engine and a channel that
// has taken it, with all connections up.
func BenchmarkChannelUpdate1000(b *testing.B) {
	for _, way := range ways {
		b.Run(way.name, func(b *testing.B) {
			engine, fabric := mem.New(), newFabric()
			fabric.serve(b, "server")
			first, lease := fleet(b, engine)
			reg := newRegistry(b, engine.Driver(), discovery.WithDebounce(0, 0))
			taken := make(chan struct{}, 1)
			cc := fabric.open(b, balanced(b, way.balancing),
				grpc.WithResolvers(observed{grpcresolver.Builder(reg, "parley"), taken}),
				grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return fabric.dial(ctx, "server") }))
			cc.Connect()
			<-taken
			for fabric.dialed() < way.connected {
				answers(b, cc, 1)
			}
			b.ReportAllocs()
			for b.Loop() {
				first.Weight++
				if err := lease.Update(b.Context(), first); err != nil {
					b.Fatal(err)
				}
				<-taken
			}
		})
	}
}

// BenchmarkChannelMemory1000 reports the memory that a channel uses for each of 1,000 instances, in addition to the
// memory of the Registry. The channel does not connect, because connections have buffers at both ends.
func BenchmarkChannelMemory1000(b *testing.B) {
	for _, way := range ways {
		b.Run(way.name, func(b *testing.B) {
			engine := mem.New()
			fleet(b, engine)
			reg := newRegistry(b, engine.Driver())
			listed := make(chan struct{}, 1)
			b.Cleanup(reg.Subscribe("payments", func(discovery.State) { listed <- struct{}{} }))
			<-listed
			var before, after runtime.MemStats
			var kept uint64
			for b.Loop() {
				var dialed atomic.Int64
				ready := make(chan struct{})
				runtime.GC()
				runtime.ReadMemStats(&before)
				cc, err := grpc.NewClient("parley:///payments", balanced(b, way.balancing),
					grpc.WithTransportCredentials(insecure.NewCredentials()),
					grpc.WithResolvers(grpcresolver.Builder(reg, "parley")),
					grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
						if dialed.Add(1) == int64(way.connected) {
							close(ready)
						}
						<-ctx.Done()
						return nil, ctx.Err()
					}))
				if err != nil {
					b.Fatal(err)
				}
				cc.Connect()
				<-ready
				runtime.GC()
				runtime.ReadMemStats(&after)
				kept = after.HeapAlloc - before.HeapAlloc
				if err := cc.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(kept)/many, "B/instance")
		})
	}
}

// balanced is a service config with the policy of Parley.
func balanced(b *testing.B, balancing grpcbalancer.Balancing) grpc.DialOption {
	b.Helper()
	config, err := json.Marshal(map[string]any{"loadBalancingConfig": []any{balancing.Config()}})
	if err != nil {
		b.Fatal(err)
	}
	return grpc.WithDefaultServiceConfig(string(config))
}

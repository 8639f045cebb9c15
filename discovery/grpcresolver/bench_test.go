package grpcresolver_test

import (
	"context"
	"fmt"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/resolver"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/grpcresolver"
	"github.com/parley-rpc/parley/discovery/mem"
)

// observed is a resolver builder that tells when the channel has taken a state.
type observed struct {
	resolver.Builder
	taken chan struct{}
}

func (o observed) Build(target resolver.Target, cc resolver.ClientConn, opts resolver.BuildOptions) (resolver.Resolver, error) {
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

// BenchmarkChannelUpdate1000 is the time between a change of one of 1,000 instances in the engine and a round_robin
// channel that has taken it, with all connections up.
func BenchmarkChannelUpdate1000(b *testing.B) {
	engine, fabric := mem.New(), newFabric()
	fabric.serve(b, "server")
	reg := newRegistry(b, engine.Driver(), discovery.WithDebounce(0, 0))
	var first discovery.Instance
	for i := range 1000 {
		in := payments(fmt.Sprintf("10.0.%d.%d:1", i>>8, i&255))
		lease := announce(b, engine.Driver(), in)[0]
		if i > 0 {
			continue
		}
		first = in
		defer func() {
			if err := lease.Revoke(b.Context()); err != nil {
				b.Error(err)
			}
		}()
	}
	taken := make(chan struct{}, 1)
	cc := fabric.open(b,
		grpc.WithResolvers(observed{grpcresolver.Builder(reg, "parley"), taken}),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return fabric.dial(ctx, "server") }))
	cc.Connect()
	<-taken
	for fabric.dialed() < 1000 {
		answers(b, cc, 1)
	}
	lease := announce(b, engine.Driver(), first)[0]
	b.ReportAllocs()
	for b.Loop() {
		first.Weight++
		if err := lease.Update(b.Context(), first); err != nil {
			b.Fatal(err)
		}
		<-taken
	}
}

package grpcresolver_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/mem"
)

func TestStreamSurvivesTheRemovalOfItsServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, net := mem.New(), newFabric()
		net.serve(t, "10.0.0.1:1")
		net.serve(t, "10.0.0.2:1")
		leases := announce(t, engine.Driver(), payments("10.0.0.1:1"))
		cc := net.channel(t, newRegistry(t, engine.Driver()))

		stream, err := cc.NewStream(
			t.Context(),
			&grpc.StreamDesc{ClientStreams: true, ServerStreams: true},
			"/test.Where/Watch",
		)
		if err != nil {
			t.Fatal(err)
		}
		talk := func() string {
			var reply wrapperspb.StringValue
			if err := stream.SendMsg(new(emptypb.Empty)); err != nil {
				t.Fatal(err)
			}
			if err := stream.RecvMsg(&reply); err != nil {
				t.Fatal(err)
			}
			return reply.GetValue()
		}
		talk()
		announce(t, engine.Driver(), payments("10.0.0.2:1"))
		if err := leases[0].Revoke(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if got := answers(t, cc, 10); got["10.0.0.2:1"] != 10 {
			t.Errorf("new calls went to %v; want all at the server that is left", got)
		}
		if got := talk(); got != "10.0.0.1:1" {
			t.Errorf("the stream is answered by %q; want the server that left", got)
		}
		if err := stream.CloseSend(); err != nil {
			t.Error(err)
		}
	})
}

func TestChangesOfMetadataNeverReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, net := mem.New(), newFabric()
		net.serve(t, "10.0.0.1:1")
		in := payments("10.0.0.1:1")
		leases := announce(t, engine.Driver(), in)
		cc := net.channel(t, newRegistry(t, engine.Driver()))
		answers(t, cc, 1)
		for i := range uint32(10) {
			in.Weight, in.Zone, in.Metadata = i, fmt.Sprint("zone", i), map[string]string{"build": fmt.Sprint(i)}
			if err := leases[0].Update(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			answers(t, cc, 1)
		}
		if n := net.dialed(); n != 1 {
			t.Errorf("%d connections were made; want 1", n)
		}
	})
}

func TestDrainingServerGetsNoNewCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, net := mem.New(), newFabric()
		first, second := payments("10.0.0.1:1"), payments("10.0.0.2:1")
		net.serve(t, "10.0.0.1:1")
		net.serve(t, "10.0.0.2:1")
		leases := announce(t, engine.Driver(), first, second)
		cc := net.channel(t, newRegistry(t, engine.Driver()))
		answers(t, cc, 1)
		synctest.Wait()
		if got := answers(t, cc, 10); got["10.0.0.1:1"] != 5 || got["10.0.0.2:1"] != 5 {
			t.Fatalf("calls went to %v; want half to each", got)
		}
		first.Draining = true
		if err := leases[0].Update(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if got := answers(t, cc, 10); got["10.0.0.2:1"] != 10 {
			t.Errorf("while the first server drains calls went to %v; want all to the second", got)
		}
		second.Draining = true
		if err := leases[1].Update(t.Context(), second); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if got := answers(t, cc, 10); got["10.0.0.1:1"] != 5 || got["10.0.0.2:1"] != 5 {
			t.Errorf("when all drain calls went to %v; want half to each", got)
		}
	})
}

// A call without rivals is tried on another server each time under round_robin, and the endpoint that an attempt names
// is the address that discovery listed.
func TestNextAttemptLandsElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, net := mem.New(), newFabric()
		var listed []string
		for i := range 3 {
			addr := fmt.Sprintf("10.0.0.%d:1", i+1)
			listed = append(listed, addr)
			net.serve(t, addr)
			announce(t, engine.Driver(), payments(addr))
		}
		cc := net.channel(t, newRegistry(t, engine.Driver()), grpc.WithUnaryInterceptor(attempt.UnaryClientInterceptor))
		answers(t, cc, 1)
		synctest.Wait()
		var tried []string
		for number := 1; number <= 3; number++ {
			ctx, a := attempt.NewContext(t.Context(), number, false, slices.Clone(tried))
			if _, err := ask(ctx, cc); err != nil {
				t.Fatal(err)
			}
			if slices.Contains(a.Tried(), a.Endpoint()) {
				t.Errorf("attempt %d went to %s again, after %v", number, a.Endpoint(), a.Tried())
			}
			tried = append(tried, a.Endpoint())
		}
		slices.Sort(tried)
		if !slices.Equal(tried, listed) {
			t.Errorf("attempts name the endpoints %v; want the endpoints of discovery, %v", tried, listed)
		}
	})
}

func TestChannelsOfAProcessShareOneWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, net := mem.New(), newFabric()
		net.serve(t, "10.0.0.1:1")
		announce(t, engine.Driver(), payments("10.0.0.1:1"))
		reg := newRegistry(t, engine.Driver())
		for range 5 {
			answers(t, net.channel(t, reg), 1)
		}
		if s := reg.Snapshot().Services; len(s) != 1 || s[0].Users != 5 {
			t.Errorf("the registry follows %+v; want one service with 5 users", s)
		}
	})
}

func TestChannelOverAClosedRegistryFailsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := discovery.New(mem.New().Driver())
		if err := reg.Close(); err != nil {
			t.Fatal(err)
		}
		_, err := ask(t.Context(), newFabric().channel(t, reg))
		want := `rpc error: code = Unavailable desc = discovery: mem: find "payments": the registry is closed`
		if err == nil || err.Error() != want {
			t.Errorf("got %v; want %s", err, want)
		}
	})
}

package grpcresolver_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/mem"
)

func TestEngineDownAtStartFailsCallsAtOnceAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, net := mem.New(), newFabric()
		net.serve(t, "10.0.0.1:1")
		engine.SetDown(true)
		cc := net.channel(t, newRegistry(t, engine.Driver()))

		began := time.Now()
		_, err := ask(t.Context(), cc)
		want := `discovery: mem: find "payments": the engine is down`
		if status.Code(err) != codes.Unavailable || status.Convert(err).Message() != want {
			t.Errorf("got %v; want UNAVAILABLE with %q", err, want)
		}
		if d := time.Since(began); d != 0 {
			t.Errorf("the call took %v; want it to fail at once", d)
		}

		engine.SetDown(false)
		announce(t, engine.Driver(), payments("10.0.0.1:1"))
		began = time.Now()
		if _, err := ask(t.Context(), cc, grpc.WaitForReady(true)); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(began); d > 5*time.Second {
			t.Errorf("recovery took %v; want at most 5s", d)
		}
	})
}

// silent is an engine that accepts everything and answers nothing.
type silent struct{ driver.Driver }

func (silent) Watch(ctx context.Context, _ string, _ func([]driver.Instance)) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestSilentEngineFailsCallsAfterTheFirstWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := newFabric().channel(t, newRegistry(t, silent{mem.New().Driver()}))
		began := time.Now()
		_, err := ask(t.Context(), cc)
		if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "does not answer") {
			t.Errorf("got %v; want UNAVAILABLE because the engine does not answer", err)
		}
		if d := time.Since(began); d != 3*time.Second {
			t.Errorf("the call took %v; want 3s", d)
		}
	})
}

// refusing is an engine whose client fails with a gRPC status, as that of etcd does.
type refusing struct{ driver.Driver }

func (refusing) Watch(context.Context, string, func([]driver.Instance)) error {
	return status.Error(codes.PermissionDenied, "etcdserver: permission denied")
}

func TestStatusOfTheEngineIsNotTheStatusOfCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := newFabric().channel(t, newRegistry(t, refusing{mem.New().Driver()}))
		_, err := ask(t.Context(), cc)
		if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "etcdserver: permission denied") {
			t.Errorf("fail-fast: got %v; want UNAVAILABLE with the engine's words", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := ask(ctx, cc, grpc.WaitForReady(true)); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("wait for ready: got %v; want it to wait", err)
		}
	})
}

func TestOutageAfterTheFirstListIsInvisible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, net := mem.New(), newFabric()
		net.serve(t, "10.0.0.1:1")
		announce(t, engine.Driver(), payments("10.0.0.1:1"))
		cc := net.channel(t, newRegistry(t, engine.Driver()))
		answers(t, cc, 1)
		engine.SetDown(true)
		for range 60 {
			time.Sleep(time.Minute)
			answers(t, cc, 1)
		}
		if n := net.dialed(); n != 1 {
			t.Errorf("%d connections were made; want 1", n)
		}
	})
}

func TestWakesFromIdleDuringAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, net := mem.New(), newFabric()
		net.serve(t, "10.0.0.1:1")
		announce(t, engine.Driver(), payments("10.0.0.1:1"))
		cc := net.channel(t, newRegistry(t, engine.Driver()))
		answers(t, cc, 1)
		engine.SetDown(true)
		time.Sleep(45 * time.Minute) // gRPC goes idle after 30, and closes its resolver
		if s := cc.GetState(); s != connectivity.Idle {
			t.Fatalf("the channel is %v; want it idle", s)
		}
		began := time.Now()
		if _, err := ask(t.Context(), cc); err != nil {
			t.Errorf("the first call after idleness: %v", err)
		}
		if d := time.Since(began); d != 0 {
			t.Errorf("it took %v; want no wait for the engine", d)
		}
	})
}

func TestSecondChannelDuringAnOutageHasItsServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, net := mem.New(), newFabric()
		net.serve(t, "10.0.0.1:1")
		announce(t, engine.Driver(), payments("10.0.0.1:1"))
		reg := newRegistry(t, engine.Driver())
		answers(t, net.channel(t, reg), 1)
		engine.SetDown(true)
		if _, err := ask(t.Context(), net.channel(t, reg)); err != nil {
			t.Error(err)
		}
	})
}

func TestEmptyListIsHeldThenCallsSayWhatIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, net := mem.New(), newFabric()
		net.serve(t, "10.0.0.1:1")
		leases := announce(t, engine.Driver(), payments("10.0.0.1:1"))
		cc := net.channel(t, newRegistry(t, engine.Driver(), discovery.WithHold(time.Minute)))
		answers(t, cc, 1)
		if err := leases[0].Revoke(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute - time.Nanosecond)
		answers(t, cc, 1)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		_, err := ask(t.Context(), cc)
		want := `discovery: mem: find "payments": the engine lists no instance`
		if status.Code(err) != codes.Unavailable || status.Convert(err).Message() != want {
			t.Errorf("after the hold: got %v; want UNAVAILABLE with %q", err, want)
		}
	})
}

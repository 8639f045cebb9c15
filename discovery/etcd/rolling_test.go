package etcd_test

import (
	"context"
	"encoding/json"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/etcd"
	"github.com/parley-rpc/parley/discovery/grpcbalancer"
	"github.com/parley-rpc/parley/discovery/grpcresolver"
)

// found is a registry over e.
func found(t *testing.T, e *engine) *discovery.Registry {
	t.Helper()
	d, err := etcd.New(etcd.Config{Endpoints: []string{e.settings.Client}})
	if err != nil {
		t.Fatal(err)
	}
	r := discovery.New(d)
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// work lets a call take 20ms.
func work(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	select {
	case <-time.After(20 * time.Millisecond):
		return handler(ctx, req)
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
}

// replica serves until the returned function stops it in order: draining is announced for a second, then it deregisters,
// and then it lets its calls end.
func replica(t *testing.T, e *engine) (stop func()) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, healthy := grpc.NewServer(grpc.UnaryInterceptor(work)), health.NewServer()
	healthpb.RegisterHealthServer(server, healthy)
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(l); err != nil {
			t.Error(err)
		}
	})
	instance := found(t, e).Register(t.Context(), discovery.Instance{Service: "payments", Addresses: []string{l.Addr().String()}})
	if err := instance.Err(); err != nil {
		t.Error(err)
	}
	stop = sync.OnceFunc(func() {
		healthy.Shutdown()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := instance.Update(ctx, func(in *discovery.Instance) { in.Draining = true }); err != nil {
			t.Error(err)
		}
		<-time.After(time.Second)
		if err := instance.Deregister(ctx); err != nil {
			t.Error(err)
		}
		server.GracefulStop()
		serving.Wait()
	})
	t.Cleanup(stop)
	return stop
}

// Three replicas are restarted one after the other, over sockets and a real etcd. Nothing repeats a call.
func TestRollingRestartOfThreeReplicasUnder300CallsASecondFailsNoCall(t *testing.T) {
	e := newEngine(t)
	stops := []func(){replica(t, e), replica(t, e), replica(t, e)}
	config, err := json.Marshal(map[string]any{
		"loadBalancingConfig": []any{grpcbalancer.Balancing{}.Config()},
		"healthCheckConfig":   map[string]any{"serviceName": ""},
	})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient("parley:///payments", append(grpcresolver.DialOptions(found(t, e), "parley"), grpc.WithDisableRetry(),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultServiceConfig(string(config)))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})

	var made, failed atomic.Int64
	client := healthpb.NewHealthClient(conn)
	call := func() {
		_, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{Service: ""})
		if made.Add(1); err != nil && failed.Add(1) <= 3 {
			t.Error(err)
		}
	}
	done := make(chan struct{})
	var calls sync.WaitGroup
	calls.Go(func() {
		ticker := time.NewTicker(time.Second / 300)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				calls.Go(call)
			}
		}
	})
	for _, stop := range stops {
		stop()
		replica(t, e)
	}
	close(done)
	calls.Wait()
	if failed.Load() != 0 || made.Load() == 0 {
		t.Errorf("%d of %d calls failed", failed.Load(), made.Load())
	}
}

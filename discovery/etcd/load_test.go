package etcd_test

import (
	"context"
	"encoding/json"
	"net"
	"sync"
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
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
)

func newDriver(t *testing.T, e *engine) *etcd.Driver {
	t.Helper()
	d, err := etcd.New(etcd.Config{Endpoints: []string{e.settings.Client}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// found is a registry over e.
func found(t *testing.T, e *engine) *discovery.Registry {
	t.Helper()
	r := discovery.New(newDriver(t, e))
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// payments takes 20ms for a call.
type payments struct {
	paymentsv1.UnimplementedPaymentsServiceServer
}

func (payments) GetQuote(ctx context.Context, _ *paymentsv1.GetQuoteRequest) (*paymentsv1.GetQuoteResponse, error) {
	return &paymentsv1.GetQuoteResponse{}, work(ctx)
}

func (payments) Charge(ctx context.Context, _ *paymentsv1.ChargeRequest) (*paymentsv1.ChargeResponse, error) {
	return &paymentsv1.ChargeResponse{}, work(ctx)
}

func work(ctx context.Context) error {
	select {
	case <-time.After(20 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

// replica is a server of payments that is registered.
type replica struct {
	t        *testing.T
	server   *grpc.Server
	healthy  *health.Server
	serving  sync.WaitGroup
	driver   *etcd.Driver
	registry *discovery.Registry
	instance *discovery.Registration
	ended    sync.Once
}

func newReplica(t *testing.T, e *engine, opts ...discovery.Option) *replica {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &replica{t: t, server: grpc.NewServer(), healthy: health.NewServer()}
	healthpb.RegisterHealthServer(r.server, r.healthy)
	paymentsv1.RegisterPaymentsServiceServer(r.server, payments{})
	r.serving.Go(func() {
		if err := r.server.Serve(l); err != nil {
			t.Error(err)
		}
	})
	r.driver = newDriver(t, e)
	r.registry = discovery.New(r.driver, opts...)
	r.instance = r.registry.Register(
		t.Context(),
		discovery.Instance{Service: "payments", Addresses: []string{l.Addr().String()}},
	)
	if err := r.instance.Err(); err != nil {
		t.Error(err)
	}
	t.Cleanup(r.stop)
	return r
}

// stop ends the replica in order: draining is announced for a second, then it deregisters, and then it lets its calls
// end.
func (r *replica) stop() {
	r.ended.Do(func() {
		r.healthy.Shutdown()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := r.instance.Update(ctx, func(in *discovery.Instance) { in.Draining = true }); err != nil {
			r.t.Error(err)
		}
		<-time.After(time.Second)
		if err := r.instance.Deregister(ctx); err != nil {
			r.t.Error(err)
		}
		r.server.GracefulStop()
		r.serving.Wait()
		if err := r.registry.Close(); err != nil {
			r.t.Error(err)
		}
	})
}

// kill simulates the death of the replica: its connections break, and its lease is no longer renewed.
func (r *replica) kill() {
	r.ended.Do(func() {
		if err := r.driver.Close(); err != nil {
			r.t.Error(err)
		}
		r.server.Stop()
		r.serving.Wait()
		_ = r.registry.Close() // it cannot reach etcd any more, to deregister
	})
}

// channel is a client of payments over the default policy, with client-side health checks.
func channel(t *testing.T, r *discovery.Registry, opts ...grpc.DialOption) paymentsv1.PaymentsServiceClient {
	t.Helper()
	config, err := json.Marshal(map[string]any{
		"loadBalancingConfig": []any{grpcbalancer.Balancing{}.Config()},
		"healthCheckConfig":   map[string]any{"serviceName": ""},
	})
	if err != nil {
		t.Fatal(err)
	}
	opts = append(
		opts,
		grpc.WithDisableRetry(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(string(config)),
	)
	conn, err := grpc.NewClient("parley:///payments", append(opts, grpcresolver.DialOptions(r, "parley")...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return paymentsv1.NewPaymentsServiceClient(conn)
}

// underLoad makes 300 calls a second while do runs. All of them must succeed.
func underLoad(t *testing.T, call func() error, do func()) {
	t.Helper()
	var calls sync.WaitGroup
	var mu sync.Mutex
	made, failed := 0, 0
	one := func() {
		err := call()
		mu.Lock()
		defer mu.Unlock()
		if made++; err != nil {
			if failed++; failed <= 3 {
				t.Errorf("call %d: %v", made, err)
			}
		}
	}
	done := make(chan struct{})
	calls.Go(func() {
		ticker := time.NewTicker(time.Second / 300)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				calls.Go(one)
			}
		}
	})
	do()
	close(done)
	calls.Wait()
	if failed != 0 || made == 0 {
		t.Errorf("%d of %d calls failed", failed, made)
	}
}

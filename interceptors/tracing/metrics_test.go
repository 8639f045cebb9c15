package tracing_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	ordersv1 "github.com/parley-rpc/parley/gen/shop/orders/v1"
)

// TestHealthIsSilent says that health checks are neither traced nor measured, streams included.
func TestHealthIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader := sdkmetric.NewManualReader()
		r := newRig(t, setup{meter: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))})
		client := healthpb.NewHealthClient(r.cc)
		if _, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		stream, err := client.Watch(ctx, &healthpb.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
		cancel()
		r.wantTree("")
		if got := points(t, reader); len(got) != 0 {
			t.Errorf("measured: %v", got)
		}
	})
}

// TestUnknownMethods says that unknown methods share one name, so that a caller that makes them up cannot make
// labels up.
func TestUnknownMethods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader := sdkmetric.NewManualReader()
		refuse := func(any, grpc.ServerStream) error { return status.Error(codes.Unimplemented, "no such thing") }
		r := newRig(t, setup{
			meter:  sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)),
			server: []grpc.ServerOption{grpc.UnknownServiceHandler(refuse)},
		})
		for i := range 1000 {
			method := fmt.Sprintf("/made.up.Service/Method%d", i)
			err := r.cc.Invoke(t.Context(), method, &ordersv1.GetOrderRequest{}, &ordersv1.GetOrderResponse{})
			if status.Code(err) != codes.Unimplemented {
				t.Fatal(err)
			}
		}
		const server = "error.type=UNIMPLEMENTED rpc.method=_OTHER rpc.status_code=UNIMPLEMENTED rpc.system.name=grpc"
		wantPoints(t, reader,
			"grpc.client.attempt.duration 1000 grpc.method=other grpc.status=UNIMPLEMENTED grpc.target=passthrough:///shop:8443",
			"grpc.client.attempt.started 1000 grpc.method=other grpc.target=passthrough:///shop:8443",
			"rpc.client.call.duration 1000 "+server+" server.address=shop server.port=8443",
			"rpc.server.call.duration 1000 "+server,
		)
	})
	bubble(t, "their spans tell their real names", func(t *testing.T) {
		refuse := func(any, grpc.ServerStream) error { return status.Error(codes.Unimplemented, "no such thing") }
		r := newRig(t, setup{server: []grpc.ServerOption{grpc.UnknownServiceHandler(refuse)}})
		_ = r.cc.Invoke(t.Context(), "/made.up.Service/Method", &ordersv1.GetOrderRequest{}, &ordersv1.GetOrderResponse{})
		r.wantTree(`
				CLIENT grpc Error(no such thing) | error.type=UNIMPLEMENTED parley.attempts=1 rpc.method=_OTHER rpc.method_original=/made.up.Service/Method rpc.status_code=UNIMPLEMENTED
				  CLIENT Attempt grpc Error(no such thing) | error.type=UNIMPLEMENTED network.peer.address=bufconn previous-rpc-attempts=0 rpc.method=_OTHER rpc.method_original=/made.up.Service/Method rpc.status_code=UNIMPLEMENTED
				    SERVER grpc Error(no such thing) | error.type=UNIMPLEMENTED rpc.method=_OTHER rpc.method_original=/made.up.Service/Method rpc.status_code=UNIMPLEMENTED`)
	})
	bubble(t, "a described method is known whoever calls it", func(t *testing.T) {
		r := newRig(t, setup{})
		err := r.cc.Invoke(t.Context(), "/"+ordersService+"GetOrder", &ordersv1.GetOrderRequest{},
			&ordersv1.GetOrderResponse{})
		if err != nil {
			t.Fatal(err)
		}
		r.wantTree(`
				CLIENT GetOrder | parley.attempts=1 rpc.status_code=OK
				  CLIENT Attempt GetOrder | network.peer.address=bufconn previous-rpc-attempts=0 rpc.status_code=OK
				    SERVER GetOrder | rpc.status_code=OK`)
	})
}

// TestMetrics says what is measured: once per call and once per attempt.
func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader := sdkmetric.NewManualReader()
		down := 2
		s := obliging()
		s.get = func(context.Context) error {
			if down--; down >= 0 {
				return status.Error(codes.NotFound, "not yet")
			}
			return nil
		}
		r := newRig(t, setup{
			shop: s, calls: []grpc.UnaryClientInterceptor{again(3)},
			meter: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)),
		})
		if _, err := r.orders.GetOrder(t.Context(), &ordersv1.GetOrderRequest{}); err != nil {
			t.Fatal(err)
		}
		stream, err := r.orders.WatchOrder(t.Context(), &ordersv1.WatchOrderRequest{})
		if err := errors.Join(err, drain(stream)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		method, target := "grpc.method=shop.orders.v1.OrdersService/", " grpc.target=passthrough:///shop:8443"
		conventional := "rpc.method=shop.orders.v1.OrdersService/"
		wantPoints(t, reader,
			"grpc.client.attempt.duration 1 "+method+"GetOrder grpc.status=OK"+target,
			"grpc.client.attempt.duration 1 "+method+"WatchOrder grpc.status=OK"+target,
			"grpc.client.attempt.duration 2 "+method+"GetOrder grpc.status=NOT_FOUND"+target,
			"grpc.client.attempt.started 1 "+method+"WatchOrder"+target,
			"grpc.client.attempt.started 3 "+method+"GetOrder"+target,
			"rpc.client.call.duration 1 "+conventional+
				"GetOrder rpc.status_code=OK rpc.system.name=grpc server.address=shop server.port=8443",
			"rpc.client.call.duration 1 "+conventional+
				"WatchOrder rpc.status_code=OK rpc.system.name=grpc server.address=shop server.port=8443",
			"rpc.server.call.duration 1 "+conventional+"GetOrder rpc.status_code=OK rpc.system.name=grpc",
			"rpc.server.call.duration 1 "+conventional+"WatchOrder rpc.status_code=OK rpc.system.name=grpc",
			"rpc.server.call.duration 2 "+conventional+"GetOrder rpc.status_code=NOT_FOUND rpc.system.name=grpc",
		)
	})
}

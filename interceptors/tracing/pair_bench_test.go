package tracing_test

import (
	"context"
	"net"
	"slices"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	ordersv1 "github.com/parley-rpc/parley/gen/shop/orders/v1"
	"github.com/parley-rpc/parley/interceptors/tracing"
)

// BenchmarkPair is a whole call from client to server in memory, with a Tracer on both sides; "0 bare" has none.
func BenchmarkPair(b *testing.B) {
	b.Run("0 bare", func(b *testing.B) { benchmarkPair(b, nil, nil) })
	for name, opts := range benchmarks() {
		b.Run(name, func(b *testing.B) {
			t := tracing.New(opts...)
			benchmarkPair(b, slices.Concat(t.DialOptions(), t.AttemptDialOptions()), t.ServerOptions())
		})
	}
}

func benchmarkPair(b *testing.B, dialing []grpc.DialOption, serving []grpc.ServerOption) {
	listener := bufconn.Listen(1 << 16)
	server := grpc.NewServer(serving...)
	ordersv1.RegisterOrdersServiceServer(server, quietShop{})
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	cc, err := grpc.NewClient("passthrough:///shop:8443", append(dialing,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn,
			error,
		) {
			return listener.DialContext(ctx)
		}))...)
	if err != nil {
		b.Fatal(err)
	}
	defer cc.Close()
	orders := ordersv1.NewOrdersServiceClient(cc)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := orders.GetOrder(b.Context(), &ordersv1.GetOrderRequest{}); err != nil {
			b.Fatal(err)
		}
	}
}

// quietShop answers and remembers nothing.
type quietShop struct {
	ordersv1.UnimplementedOrdersServiceServer
}

func (quietShop) GetOrder(context.Context, *ordersv1.GetOrderRequest) (*ordersv1.GetOrderResponse, error) {
	return &ordersv1.GetOrderResponse{}, nil
}

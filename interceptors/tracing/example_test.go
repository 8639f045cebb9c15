package tracing_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"

	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/parley-rpc/parley/attempt"
	ordersv1 "github.com/parley-rpc/parley/gen/shop/orders/v1"
	"github.com/parley-rpc/parley/interceptors/tracing"
)

// A Tracer on plain gRPC. Something between call and attempt repeats calls; here it is a loop of three lines.
func Example() {
	recorder := tracetest.NewSpanRecorder()
	tracer := tracing.New(tracing.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))))

	failures := 1
	orders := &shop{get: func(context.Context) error {
		if failures--; failures >= 0 {
			return status.Error(codes.Unavailable, "warming up")
		}
		return nil
	}}
	server := grpc.NewServer(tracer.ServerOptions()...)
	ordersv1.RegisterOrdersServiceServer(server, orders)
	listener := bufconn.Listen(1 << 16)
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()

	repeat := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker,
		opts ...grpc.CallOption,
	) (err error) {
		for number := 1; number <= 2; number++ {
			ctx, _ := attempt.NewContext(ctx, number, false, nil)
			if err = invoker(ctx, method, req, reply, cc, opts...); err == nil {
				break
			}
		}
		return err
	}
	cc, err := grpc.NewClient("passthrough:///orders", append(slices.Concat(
		tracer.DialOptions(),
		[]grpc.DialOption{grpc.WithChainUnaryInterceptor(repeat)},
		tracer.AttemptDialOptions()),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn,
			error,
		) {
			return listener.DialContext(ctx)
		}))...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cc.Close()
	if _, err := ordersv1.NewOrdersServiceClient(cc).GetOrder(context.Background(),
		&ordersv1.GetOrderRequest{}); err != nil {
		fmt.Println(err)
	}
	for _, span := range recorder.Started() {
		fmt.Println(span.SpanKind(), span.Name(), span.Status().Code)
	}
	// Output:
	// client shop.orders.v1.OrdersService/GetOrder Unset
	// client Attempt shop.orders.v1.OrdersService/GetOrder Error
	// server shop.orders.v1.OrdersService/GetOrder Error
	// client Attempt shop.orders.v1.OrdersService/GetOrder Unset
	// server shop.orders.v1.OrdersService/GetOrder Unset
}

// A server that faces strangers starts its own traces and hears none of their baggage.
func ExampleWithPublicEndpoint() {
	tracer := tracing.New(
		tracing.WithTracerProvider(sdktrace.NewTracerProvider()),
		tracing.WithPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})),
		tracing.WithPublicEndpoint(),
	)
	server := grpc.NewServer(tracer.ServerOptions()...)
	server.Stop()
	fmt.Println(tracing.WithPublicEndpoint())
	// Output: tracing.WithPublicEndpoint()
}

// Every line that is logged during a call names its trace.
func ExampleLogHandler() {
	text := slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
	log := slog.New(tracing.LogHandler(text))
	ctx := trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{0x4b, 0xf9}, SpanID: trace.SpanID{0xf0},
	}))
	log.InfoContext(ctx, "order placed", slog.Int("id", 42))
	// Output: level=INFO msg="order placed" id=42 trace_id=4bf90000000000000000000000000000 span_id=f000000000000000
}

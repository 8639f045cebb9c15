package tracing_test

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/interceptors/tracing"
)

const benchMethod = "/shop.payments.v1.PaymentsService/GetQuote"

// nullProcessor takes every span and keeps none.
type nullProcessor struct{}

func (nullProcessor) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (nullProcessor) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (nullProcessor) Shutdown(context.Context) error                  { return nil }
func (nullProcessor) ForceFlush(context.Context) error                { return nil }

func meters() metric.MeterProvider {
	return sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
}

func spans(s sdktrace.Sampler) trace.TracerProvider {
	return sdktrace.NewTracerProvider(sdktrace.WithSampler(s), sdktrace.WithSpanProcessor(nullProcessor{}))
}

// benchmarks are the ways to run a Tracer, from nothing to everything.
func benchmarks() map[string][]tracing.Option {
	return map[string][]tracing.Option{
		"1 off":              nil,
		"2 metrics":          {tracing.WithMeterProvider(meters())},
		"3 traces unsampled": {tracing.WithTracerProvider(spans(sdktrace.NeverSample()))},
		"4 metrics, traces unsampled": {
			tracing.WithMeterProvider(meters()),
			tracing.WithTracerProvider(spans(sdktrace.NeverSample())),
		},
		"4a metrics, traces decided beforehand": {
			tracing.WithMeterProvider(meters()),
			tracing.WithTracerProvider(dropping{spans(sdktrace.NeverSample())}),
		},
		"5 traces sampled to nothing": {tracing.WithTracerProvider(spans(sdktrace.AlwaysSample()))},
		"6 metrics and traces sampled": {
			tracing.WithMeterProvider(meters()),
			tracing.WithTracerProvider(spans(sdktrace.AlwaysSample())),
		},
	}
}

// BenchmarkClient is the cost of the interceptors of one call with one attempt.
func BenchmarkClient(b *testing.B) {
	cc, err := grpc.NewClient("passthrough:///bench:1", grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	defer cc.Close()
	invoke := func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
		return nil
	}
	for name, opts := range benchmarks() {
		b.Run(name, func(b *testing.B) {
			t := tracing.New(opts...)
			inner := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
				opts ...grpc.CallOption,
			) error {
				return t.UnaryAttemptInterceptor(ctx, method, req, reply, cc, invoke, opts...)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := t.UnaryCallInterceptor(b.Context(), benchMethod, nil, nil, cc, inner, grpc.StaticMethod()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkServer is the cost of the interceptor of one call that comes with a traceparent.
func BenchmarkServer(b *testing.B) {
	handler := func(context.Context, any) (any, error) { return nil, nil }
	info := &grpc.UnaryServerInfo{FullMethod: benchMethod}
	for name, opts := range benchmarks() {
		b.Run(name, func(b *testing.B) {
			t := tracing.New(opts...)
			ctx := metadata.NewIncomingContext(b.Context(), metadata.Pairs(
				"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
				":authority", "bench", "content-type", "application/grpc", "user-agent", "grpc-go"))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := t.UnaryServerInterceptor(ctx, nil, info, handler); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

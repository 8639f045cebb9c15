package tracing_test

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/interceptors/tracing"
)

// dropping is a provider whose tracers decide beforehand, and drop everything.
type dropping struct{ trace.TracerProvider }

type droppingTracer struct{ trace.Tracer }

func (p dropping) Tracer(name string, opts ...trace.TracerOption) trace.Tracer {
	return droppingTracer{p.TracerProvider.Tracer(name, opts...)}
}

func (droppingTracer) Decide(context.Context, string, trace.SpanKind, []attribute.KeyValue) (trace.SpanContext, bool) {
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}}), false
}

// TestAllocations bounds what a call costs where nothing of it is recorded.
func TestAllocations(t *testing.T) {
	never := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()))
	for _, test := range []struct {
		name           string
		opts           []tracing.Option
		client, server float64
	}{
		{"off", nil, 0, 1},
		{"metrics", []tracing.Option{tracing.WithMeterProvider(meters())}, 0, 1},
		{"metrics, traces unsampled", []tracing.Option{
			tracing.WithMeterProvider(meters()),
			tracing.WithTracerProvider(never),
		}, 8, 4},
		{
			"metrics, traces decided beforehand",
			[]tracing.Option{tracing.WithMeterProvider(meters()), tracing.WithTracerProvider(dropping{never})},
			6, 1,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			tracer := tracing.New(test.opts...)
			invoke := func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return nil }
			once := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
				opts ...grpc.CallOption,
			) error {
				return tracer.UnaryAttemptInterceptor(ctx, method, req, reply, cc, invoke, opts...)
			}
			opts := []grpc.CallOption{grpc.StaticMethod()}
			client := testing.AllocsPerRun(1000, func() {
				_ = tracer.UnaryCallInterceptor(t.Context(), benchMethod, nil, nil, nil, once, opts...)
			})
			ctx := metadata.NewIncomingContext(t.Context(),
				metadata.Pairs("traceparent", foreignParent, "user-agent", "grpc-go"))
			info := &grpc.UnaryServerInfo{FullMethod: benchMethod}
			handle := func(context.Context, any) (any, error) { return nil, nil }
			server := testing.AllocsPerRun(1000, func() {
				_, _ = tracer.UnaryServerInterceptor(ctx, nil, info, handle)
			})
			if client > test.client || server > test.server {
				t.Errorf("%v allocations per call of a client, %v of a server; want at most %v and %v", client, server,
					test.client, test.server)
			}
		})
	}
}

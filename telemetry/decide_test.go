package telemetry_test

import (
	"context"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/interceptors/tracing"
	"github.com/parley-rpc/parley/telemetry"
)

const method = "/shop.payments.v1.PaymentsService/GetQuote"

// sending is the span of a call while it is sent.
type sending struct {
	trace.SpanContext
	recorded bool
}

// call makes one call with one attempt, and returns what its span was like while it was sent.
func call(ctx context.Context, tracer *tracing.Tracer) sending {
	var sent sending
	invoke := func(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
		sent = sending{trace.SpanContextFromContext(ctx), trace.SpanFromContext(ctx).IsRecording()}
		return ctx.Err()
	}
	attempt := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
		opts ...grpc.CallOption,
	) error {
		return tracer.UnaryAttemptInterceptor(ctx, method, req, reply, cc, invoke, opts...)
	}
	_ = tracer.UnaryCallInterceptor(ctx, method, nil, nil, nil, attempt, grpc.StaticMethod())
	return sent
}

func newTracer(tel *telemetry.Telemetry) *tracing.Tracer {
	return tracing.New(tracing.WithTracerProvider(tel.TracerProvider()), tracing.WithMeterProvider(tel.MeterProvider()),
		tracing.WithPropagator(tel.Propagator()))
}

// TestRatio says that each root is sampled by its trace ID, so that every service that is asked about a trace decides
// alike, and that children follow.
func TestRatio(t *testing.T) {
	recorder := newRecorder()
	tel := start(t, vars{"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.3"},
		telemetry.WithSpanProcessor(recorder))
	tracer := newTracer(tel)
	ratio := sdktrace.TraceIDRatioBased(0.3)
	const calls = 2000
	sampled := 0
	for range calls {
		sent := call(t.Context(), tracer)
		want := ratio.ShouldSample(sdktrace.SamplingParameters{
			ParentContext: t.Context(),
			TraceID:       sent.TraceID(),
		}).Decision == sdktrace.RecordAndSample
		if !sent.IsValid() || sent.IsSampled() != want {
			t.Fatalf("%v was sampled: %v, want %v", sent.TraceID(), sent.IsSampled(), want)
		}
		if want {
			sampled++
		}
	}
	// Ten standard deviations around what is expected.
	if sampled < 395 || sampled > 805 {
		t.Errorf("%d of %d calls were sampled, want about 600", sampled, calls)
	}
	if n := len(recorder.Ended()); n != 2*sampled {
		t.Errorf("%d spans of %d sampled calls, want a call and an attempt each", n, sampled)
	}
	for _, s := range recorder.Ended() {
		if s.Name() == method[1:] && s.Parent().IsValid() {
			t.Errorf("a root span has the parent %v", s.Parent())
		}
	}
}

// TestUnwatched says that nothing is recorded where nothing would show it, and that the decision is sent on all the
// same.
func TestUnwatched(t *testing.T) {
	tel := start(t, nil)
	tracer := newTracer(tel)
	if sent := call(t.Context(), tracer); sent.recorded || !sent.IsSampled() || !sent.IsValid() {
		t.Errorf("sent %v, want it sampled and not recorded", sent)
	}
	parent := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	sent := call(trace.ContextWithSpanContext(t.Context(), parent), tracer)
	if sent.IsSampled() || sent.TraceID() != parent.TraceID() || sent.SpanID() == parent.SpanID() {
		t.Errorf("sent %v below %v, want an unsampled child", sent, parent)
	}
}

// TestAllocations bounds what metrics and unsampled traces together cost a call.
func TestAllocations(t *testing.T) {
	tel := start(t, vars{"OTEL_TRACES_SAMPLER": "parentbased_always_off"}, telemetry.WithSpanProcessor(newRecorder()))
	tracer := newTracer(tel)
	opts := []grpc.CallOption{grpc.StaticMethod()}
	invoke := func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return nil }
	attempt := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
		opts ...grpc.CallOption,
	) error {
		return tracer.UnaryAttemptInterceptor(ctx, method, req, reply, cc, invoke, opts...)
	}
	client := testing.AllocsPerRun(1000, func() {
		_ = tracer.UnaryCallInterceptor(t.Context(), method, nil, nil, nil,
			attempt, opts...)
	})
	ctx := metadata.NewIncomingContext(t.Context(),
		metadata.Pairs("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"))
	info := &grpc.UnaryServerInfo{FullMethod: method}
	handle := func(context.Context, any) (any, error) { return nil, nil }
	server := testing.AllocsPerRun(1000, func() { _, _ = tracer.UnaryServerInterceptor(ctx, nil, info, handle) })
	if client > 6 || server > 1 {
		t.Errorf("%v allocations per call of a client, %v of a server; want at most 6 and 1", client, server)
	}
}

// BenchmarkUnsampled is the cost of metrics and unsampled traces per call, with one attempt.
func BenchmarkUnsampled(b *testing.B) {
	tel, err := telemetry.New(b.Context(), "orders",
		telemetry.WithEnviron([]string{
			"OTEL_TRACES_SAMPLER=parentbased_always_off",
		}), telemetry.WithSpanProcessor(newRecorder()))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = tel.Shutdown(b.Context()) }()
	tracer := newTracer(tel)
	b.Run("client", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			call(b.Context(), tracer)
		}
	})
	b.Run("server", func(b *testing.B) {
		ctx := metadata.NewIncomingContext(b.Context(),
			metadata.Pairs("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"))
		info := &grpc.UnaryServerInfo{FullMethod: method}
		handle := func(context.Context, any) (any, error) { return nil, nil }
		b.ReportAllocs()
		for b.Loop() {
			_, _ = tracer.UnaryServerInterceptor(ctx, nil, info, handle)
		}
	})
}

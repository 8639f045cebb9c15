package waterfall_test

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/parley-rpc/parley/waterfall"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// discard is a processor that does nothing: the difference to it is the cost of a ring.
type discard struct{}

func (discard) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (discard) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (discard) Shutdown(context.Context) error                  { return nil }
func (discard) ForceFlush(context.Context) error                { return nil }

func BenchmarkSpans(b *testing.B) {
	b.Run("no processor", func(b *testing.B) { benchmarkCall(b, discard{}) })
	b.Run("ring", func(b *testing.B) { benchmarkCall(b, waterfall.NewRing(1000)) })
	b.Run("ring being watched", func(b *testing.B) {
		ring := waterfall.NewRing(1000)
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		go func() {
			for range ring.Watch(ctx) {
				pause(ctx)
			}
		}()
		benchmarkCall(b, ring)
	})
}

// pause is as long as the live page waits between two looks.
func pause(ctx context.Context) {
	timer := time.NewTimer(200 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// benchmarkCall makes the three spans of a call with one attempt that this process serves.
func benchmarkCall(b *testing.B, processor sdktrace.SpanProcessor) {
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(processor)).Tracer("bench")
	client := trace.WithSpanKind(trace.SpanKindClient)
	server := trace.WithSpanKind(trace.SpanKindServer)
	attrs := trace.WithAttributes(attribute.String("rpc.system.name", "grpc"), attribute.String("rpc.method", quote))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			ctx, call := tracer.Start(context.Background(), quote, client, attrs)
			ctx, attempt := tracer.Start(ctx, "Attempt "+quote, client, attrs)
			_, served := tracer.Start(ctx, quote, server, attrs)
			served.SetAttributes(attribute.String("rpc.status_code", "OK"))
			served.End()
			attempt.SetAttributes(attribute.String("rpc.status_code", "OK"),
				attribute.String("network.peer.address", "10.0.0.1"), attribute.Int("network.peer.port", 8443))
			attempt.End()
			call.SetAttributes(attribute.String("rpc.status_code", "OK"), attribute.Int("parley.attempts", 1))
			call.End()
		}
	})
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(3*b.N), "ns/span")
}

func BenchmarkCalls(b *testing.B) {
	ring := waterfall.NewRing(10_000)
	tp := &tape{ring, sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(ring)).Tracer("bench")}
	for range 10_000 {
		call := tp.call(b.Context(), quote, 0)
		tp.attempt(call, 1, 0).end(ms, "OK", at("10.0.0.1", 8443)...)
		call.end(ms, "OK", stopped("none", "ok", 1)...)
	}
	b.ReportAllocs()
	for b.Loop() {
		if len(ring.Calls()) != 10_000 {
			b.Fatal("calls are missing")
		}
	}
}

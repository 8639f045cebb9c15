package tracing_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/interceptors/tracing"
)

func TestOptionsPrintThemselves(t *testing.T) {
	for want, opt := range map[string]tracing.Option{
		"tracing.WithTracerProvider(noop.TracerProvider)": tracing.WithTracerProvider(tracenoop.NewTracerProvider()),
		"tracing.WithMeterProvider(noop.MeterProvider)":   tracing.WithMeterProvider(metricnoop.NewMeterProvider()),
		"tracing.WithPropagator(nil)":                     tracing.WithPropagator(nil),
		"tracing.WithPropagator(traceparent, tracestate)": tracing.WithPropagator(propagation.TraceContext{}),
		"tracing.WithPublicEndpoint()":                    tracing.WithPublicEndpoint(),
		"tracing.WithLogger(...)":                         tracing.WithLogger(nil),
	} {
		if got := opt.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// brokenMeter refuses every histogram.
type brokenMeter struct{ metricnoop.Meter }

func (brokenMeter) Float64Histogram(string, ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	return metricnoop.Float64Histogram{}, errors.New("no histograms here")
}

type brokenMeters struct {
	metricnoop.MeterProvider
	name string
}

func (brokenMeters) Meter(string, ...metric.MeterOption) metric.Meter { return brokenMeter{} }

// TestCheck says that a Tracer names what is wrong with it, and works all the same.
func TestCheck(t *testing.T) {
	broken := tracing.New(tracing.WithMeterProvider(brokenMeters{name: "broken"}))
	if err := broken.Check(); err == nil || !strings.Contains(err.Error(), "WithMeterProvider") ||
		!strings.Contains(err.Error(), "no histograms here") {
		t.Errorf("Check: %v", err)
	}
	invoke := func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return nil }
	if err := broken.UnaryCallInterceptor(t.Context(), "/a.B/C", nil, nil, nil, invoke); err != nil {
		t.Error(err)
	}
	if err := tracing.New().Check(); err != nil {
		t.Error(err)
	}
}

// deciding is a tracer that can decide beforehand. It drops the spans of a list.
type deciding struct {
	trace.Tracer
	drop    bool
	decided *[]string
}

func (d deciding) Decide(ctx context.Context, name string, kind trace.SpanKind,
	_ []attribute.KeyValue,
) (trace.SpanContext, bool) {
	*d.decided = append(*d.decided, kind.String()+" "+name+" below "+trace.SpanContextFromContext(ctx).SpanID().String())
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{7}, SpanID: trace.SpanID{8}}), !d.drop
}

type decidingProvider struct {
	trace.TracerProvider
	drop    bool
	decided []string
}

func (p *decidingProvider) Tracer(name string, opts ...trace.TracerOption) trace.Tracer {
	return deciding{p.TracerProvider.Tracer(name, opts...), p.drop, &p.decided}
}

// TestDecider says that a tracer that can decide beforehand makes no span that it would drop, and that a root span that
// it does make has the trace ID by which it was decided.
func TestDecider(t *testing.T) {
	for _, drop := range []bool{true, false} {
		recorder := tracetest.NewSpanRecorder()
		provider := &decidingProvider{
			drop:           drop,
			TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)),
		}
		tracer := tracing.New(tracing.WithTracerProvider(provider))
		var sent, handled trace.SpanContext
		invoke := func(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
			sent = trace.SpanContextFromContext(ctx)
			return nil
		}
		if err := tracer.UnaryCallInterceptor(t.Context(), "/a.B/C", nil, nil, nil, invoke, grpc.StaticMethod()); err != nil {
			t.Fatal(err)
		}
		ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("traceparent", foreignParent))
		handle := func(ctx context.Context, _ any) (any, error) {
			handled = trace.SpanContextFromContext(ctx)
			if drop && trace.SpanFromContext(ctx).TracerProvider() != trace.TracerProvider(provider) {
				t.Error("a handler cannot start spans of its own")
			}
			return nil, nil
		}
		if _, err := tracer.UnaryServerInterceptor(ctx, nil, &grpc.UnaryServerInfo{FullMethod: "/a.B/C"},
			handle); err != nil {
			t.Fatal(err)
		}
		want := []string{"client a.B/C below 0000000000000000", "server a.B/C below " + foreignSpan}
		if strings.Join(provider.decided, "; ") != strings.Join(want, "; ") {
			t.Errorf("decided %q, want %q", provider.decided, want)
		}
		if sent.TraceID() != (trace.TraceID{7}) || drop != (sent.SpanID() == trace.SpanID{8}) {
			t.Errorf("drop %v: sent %v", drop, sent)
		}
		if drop && handled.SpanID() != (trace.SpanID{8}) || !drop && handled.TraceID().String() != foreignTrace {
			t.Errorf("drop %v: handled %v", drop, handled)
		}
		if n := len(recorder.Ended()); drop && n != 0 || !drop && n != 2 {
			t.Errorf("drop %v: %d spans", drop, n)
		}
		if !drop && recorder.Ended()[0].Parent().IsValid() {
			t.Error("a root span has a parent")
		}
	}
}

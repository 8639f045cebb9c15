package tracing

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/parley-rpc/parley/internal/contextkey"
)

// spanContext is a context whose current span is not recorded here: one allocation for the context, the span and what
// identifies it.
type spanContext struct {
	context.Context
	span unrecordedSpan
}

func (c *spanContext) Value(key any) any {
	if key == c.span.tracer.spanKey {
		return &c.span
	}
	return c.Context.Value(key)
}

// unrecordedSpan knows what it is called and nothing else.
type unrecordedSpan struct {
	*unrecorded
	sc trace.SpanContext
}

// unrecorded is what all spans of a Tracer have in common that are not recorded. It is apart from them because there
// are two of them for each call.
type unrecorded struct {
	embedded.Span
	tracer *Tracer
}

// SpanContext is what the span is called.
func (s *unrecordedSpan) SpanContext() trace.SpanContext { return s.sc }

// TracerProvider lets a handler start spans of its own below this one.
func (s *unrecordedSpan) TracerProvider() trace.TracerProvider {
	if p := s.tracer.tracerProvider; p != nil {
		return p
	}
	return tracenoop.NewTracerProvider()
}

// IsRecording reports false.
func (*unrecordedSpan) IsRecording() bool { return false }

// End does nothing.
func (*unrecordedSpan) End(...trace.SpanEndOption) {}

// AddEvent does nothing.
func (*unrecordedSpan) AddEvent(string, ...trace.EventOption) {}

// AddLink does nothing.
func (*unrecordedSpan) AddLink(trace.Link) {}

// RecordError does nothing.
func (*unrecordedSpan) RecordError(error, ...trace.EventOption) {}

// SetStatus does nothing.
func (*unrecordedSpan) SetStatus(codes.Code, string) {}

// SetName does nothing.
func (*unrecordedSpan) SetName(string) {}

// SetAttributes does nothing.
func (*unrecordedSpan) SetAttributes(...attribute.KeyValue) {}

// carry returns a context with sc as its current span.
func (t *Tracer) carry(ctx context.Context, sc trace.SpanContext) context.Context {
	if c := t.newSpanContext(ctx, sc); c != nil {
		return c
	}
	return trace.ContextWithSpanContext(ctx, sc)
}

// newSpanContext returns nil where it is not known how OpenTelemetry finds a span.
func (t *Tracer) newSpanContext(ctx context.Context, sc trace.SpanContext) *spanContext {
	if t.spanKey == nil {
		return nil
	}
	return &spanContext{Context: ctx, span: unrecordedSpan{&t.unrecorded, sc}}
}

// spanKey returns the key under which OpenTelemetry looks for a span, or nil when a span under the key that it asks for
// is not found again.
func spanKey() any {
	key := contextkey.AskedBy(func(ctx context.Context) { trace.SpanFromContext(ctx) })
	span := trace.Span(&unrecordedSpan{})
	if key == nil || trace.SpanFromContext(context.WithValue(context.Background(), key, span)) != span {
		return nil
	}
	return key
}

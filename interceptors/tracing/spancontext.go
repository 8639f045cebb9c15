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

// spanContext is a context whose current span is not recorded. Context, span and span context need one allocation.
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

// unrecordedSpan is a span that has only its span context.
type unrecordedSpan struct {
	*unrecorded
	sc trace.SpanContext
}

// unrecorded is the common part of all spans of a Tracer that are not recorded. It is separate, because each call has
// two such spans.
type unrecorded struct {
	embedded.Span
	tracer *Tracer
}

// SpanContext returns the span context.
func (s *unrecordedSpan) SpanContext() trace.SpanContext { return s.sc }

// TracerProvider returns the provider, so that a handler can start spans below this one.
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

// newSpanContext returns nil if the context key of OpenTelemetry is unknown.
func (t *Tracer) newSpanContext(ctx context.Context, sc trace.SpanContext) *spanContext {
	if t.spanKey == nil {
		return nil
	}
	return &spanContext{Context: ctx, span: unrecordedSpan{&t.unrecorded, sc}}
}

// spanKey returns the context key of OpenTelemetry for spans, or nil if OpenTelemetry does not find a span with that
// key.
func spanKey() any {
	key := contextkey.AskedBy(func(ctx context.Context) { trace.SpanFromContext(ctx) })
	span := trace.Span(&unrecordedSpan{})
	if key == nil || trace.SpanFromContext(context.WithValue(context.Background(), key, span)) != span {
		return nil
	}
	return key
}

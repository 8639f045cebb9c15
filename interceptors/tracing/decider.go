package tracing

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// Decider is a trace.Tracer that can make its sampling decision before it makes a span. With such tracers, a [Tracer]
// makes no spans for calls that are not recorded, which saves most of the cost. The tracers of package telemetry
// implement it.
type Decider interface {
	trace.Tracer

	// Decide reports whether the span that Start would make in ctx would be recorded. If not, sc identifies the span, and
	// Start need not be called. If it would be recorded, Start must be called in a context whose current span context has
	// the trace ID of sc: in ctx itself if there is a parent, and for a root span in a context with this trace ID and
	// without a span ID. Decide must not keep the attributes. It must be safe for concurrent use.
	Decide(ctx context.Context, name string, kind trace.SpanKind, attributes []attribute.KeyValue) (sc trace.SpanContext,
		recorded bool)
}

// birth has the properties of a span before it starts.
type birth struct {
	name       string
	kind       trace.SpanKind
	attributes []attribute.KeyValue
	options    []trace.SpanStartOption // kind and attributes, once more
}

func newBirth(name string, kind trace.SpanKind, attributes ...attribute.KeyValue) birth {
	return birth{name: name, kind: kind, attributes: attributes, options: []trace.SpanStartOption{
		trace.WithSpanKind(kind), trace.WithAttributes(attributes...),
	}}
}

// start starts a span in ctx. It returns the context with the span, and the span if it is recorded. Carried is ctx
// itself if ctx is a context of this package that is not shared yet, and otherwise nil. It is reused.
func (t *Tracer) start(ctx context.Context, b *birth, carried *spanContext,
	further ...trace.SpanStartOption,
) (context.Context, trace.Span) {
	if t.tracer == nil {
		return ctx, nil
	}
	if t.decider != nil {
		sc, recorded := t.decider.Decide(ctx, b.name, b.kind, b.attributes)
		if !recorded {
			if carried != nil {
				carried.span.sc = sc
				return ctx, nil
			}
			return t.carry(ctx, sc), nil
		}
		if !trace.SpanContextFromContext(ctx).IsValid() {
			ctx = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{TraceID: sc.TraceID()}))
		}
	}
	options := b.options
	if len(further) > 0 {
		options = append(slices.Clip(options), further...)
	}
	ctx, span := t.tracer.Start(ctx, b.name, options...)
	if !span.IsRecording() {
		return ctx, nil
	}
	return ctx, span
}

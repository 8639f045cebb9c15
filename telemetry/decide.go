package telemetry

import (
	"context"
	"encoding/binary"
	"math/rand/v2"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"

	"github.com/parley-rpc/parley/interceptors/tracing"
)

// tracerProvider is the SDK's provider, with tracers that can decide in advance.
type tracerProvider struct {
	embedded.TracerProvider
	sdk     *sdktrace.TracerProvider
	sampler sdktrace.Sampler // pure: the SDK asks it again, and must get the same answer
	watched bool             // spans are exported, or processed in this process
}

func (p *tracerProvider) Tracer(name string, opts ...trace.TracerOption) trace.Tracer {
	return &tracer{Tracer: p.sdk.Tracer(name, opts...), provider: p}
}

type tracer struct {
	trace.Tracer
	provider *tracerProvider
}

var _ tracing.Decider = (*tracer)(nil)

// Decide asks the sampler. A sampled span is not recorded if there are no exporters and processors. Downstream services
// may record their spans.
func (t *tracer) Decide(ctx context.Context, name string, kind trace.SpanKind,
	attributes []attribute.KeyValue,
) (trace.SpanContext, bool) {
	parent := trace.SpanContextFromContext(ctx)
	id := parent.TraceID()
	if !id.IsValid() {
		id = newTraceID()
	}
	result := t.provider.sampler.ShouldSample(sdktrace.SamplingParameters{
		ParentContext: ctx, TraceID: id, Name: name, Kind: kind, Attributes: attributes,
	})
	sampled := result.Decision == sdktrace.RecordAndSample
	sc := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID:    id,
		SpanID:     newSpanID(),
		TraceFlags: parent.TraceFlags().WithSampled(sampled),
		TraceState: result.Tracestate,
	})
	return sc, t.provider.watched && result.Decision != sdktrace.Drop
}

func newTraceID() trace.TraceID {
	var id trace.TraceID
	for !id.IsValid() {
		binary.BigEndian.PutUint64(id[:8], rand.Uint64()) //nolint:gosec // unique, not secret
		binary.BigEndian.PutUint64(id[8:], rand.Uint64()) //nolint:gosec // unique, not secret
	}
	return id
}

func newSpanID() trace.SpanID {
	var id trace.SpanID
	for !id.IsValid() {
		binary.BigEndian.PutUint64(id[:], rand.Uint64()) //nolint:gosec // unique, not secret
	}
	return id
}

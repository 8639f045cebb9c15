package telemetry

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

func (t *Telemetry) buildTraces(ctx context.Context, p plan, c config, about *resource.Resource) error {
	sampler := p.sampler.Sampler
	if c.keepUnsampled {
		sampler = sdktrace.AlwaysRecord(sampler)
		p.sampler.text += ", the rest kept in this process"
	}
	options := []sdktrace.TracerProviderOption{sdktrace.WithResource(about), sdktrace.WithSampler(sampler)}
	for _, processor := range c.processors {
		options = append(options, sdktrace.WithSpanProcessor(processor))
	}
	report := &reporter{life: t.sending, signal: p.traces, logger: c.logger}
	if p.traces.sent {
		exporter, err := newSpanExporter(ctx, p.traces)
		if err != nil {
			return fmt.Errorf("sending spans to %s: %w", p.traces.shown, err)
		}
		options = append(options, sdktrace.WithBatcher(&spanExporter{exporter, report}))
	}
	sdk := sdktrace.NewTracerProvider(options...)
	t.tracers = &tracerProvider{sdk: sdk, sampler: sampler, watched: p.traces.sent || len(c.processors) > 0}
	t.pipelines = append(t.pipelines, pipeline{"traces", report.stop(sdk.Shutdown)})
	t.text = append(t.text, p.traces.String()+", sampled by "+p.sampler.text)
	return nil
}

func newSpanExporter(ctx context.Context, s signal) (sdktrace.SpanExporter, error) {
	if s.protocol == protocolGRPC {
		return otlptracegrpc.New(ctx, otlptracegrpc.WithEndpointURL(s.endpoint))
	}
	return otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(s.endpoint))
}

// spanExporter reports failures and successes of sending.
type spanExporter struct {
	sdktrace.SpanExporter
	report *reporter
}

func (e *spanExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	return e.report.send(ctx, func(ctx context.Context) error { return e.SpanExporter.ExportSpans(ctx, spans) })
}

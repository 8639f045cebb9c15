package telemetry_test

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/parley-rpc/parley/telemetry"
)

// Without an endpoint in the environment a service sends nothing. Its metrics can be scraped.
func ExampleNew() {
	ctx := context.Background()
	tel, err := telemetry.New(ctx, "orders", telemetry.WithEnviron(nil))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(tel)
	fmt.Println(tel.Shutdown(ctx))
	// Output:
	// traces not exported, sampled by parentbased_always_on; metrics scraped by Prometheus
	// <nil>
}

// All mistakes are reported at once, each with its remedy.
func ExampleNew_mistakes() {
	_, err := telemetry.New(context.Background(), "orders", telemetry.WithEnviron([]string{
		"OTEL_TRACES_EXPORTER=console",
		"OTEL_EXPORTER_OTLP_ENDPOINT=localhost:4317",
	}))
	fmt.Println(err)
	// Output:
	// OTEL_EXPORTER_OTLP_ENDPOINT="localhost:4317": not an http or https URL; write http://localhost:4317, say
	// OTEL_TRACES_EXPORTER="console": not supported; use otlp or none
}

// In development every call is kept in this process, however few are sent to a collector.
func ExampleWithKeepUnsampled() {
	ctx := context.Background()
	recorder := tracetest.NewSpanRecorder()
	tel, err := telemetry.New(ctx, "orders",
		telemetry.WithEnviron([]string{"OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=0"}),
		telemetry.WithSpanProcessor(recorder), telemetry.WithKeepUnsampled())
	if err != nil {
		fmt.Println(err)
		return
	}
	_, span := tel.TracerProvider().Tracer("example").Start(ctx, "place an order")
	span.End()
	fmt.Println(len(recorder.Ended()), "span, sampled:", span.SpanContext().IsSampled())
	fmt.Println(tel.Shutdown(ctx))
	// Output:
	// 1 span, sampled: false
	// <nil>
}

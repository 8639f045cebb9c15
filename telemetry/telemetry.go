// Package telemetry sets up the OpenTelemetry SDK for one service from the standard OTEL_* environment variables. It
// does not use OpenTelemetry's globals.
//
//	tel, err := telemetry.New(ctx, "orders")
//	if err != nil { ... }
//	defer tel.Shutdown(ctx)
//	tracer := tracing.New(
//		tracing.WithTracerProvider(tel.TracerProvider()),
//		tracing.WithMeterProvider(tel.MeterProvider()),
//		tracing.WithPropagator(tel.Propagator()))
//
// Data is sent only if an endpoint or an exporter is set. Metrics can always be scraped from
// [Telemetry.MetricsHandler].
//
//	OTEL_SDK_DISABLED            true: neither spans nor metrics; span contexts are still passed on
//	OTEL_SERVICE_NAME            replaces the name of the service
//	OTEL_RESOURCE_ATTRIBUTES     key=value,... about the service; values are percent-encoded. Without service.instance.id
//	                             in it, each start of the process gets a random one, so that replicas do not collide
//	OTEL_TRACES_EXPORTER         otlp or none; default: otlp if an endpoint is set, else none
//	OTEL_METRICS_EXPORTER        otlp, prometheus (only scraped) or none; default: prometheus, and otlp if an endpoint is
//	                             set
//	OTEL_EXPORTER_OTLP_ENDPOINT  URL of the collector; _TRACES_ENDPOINT and _METRICS_ENDPOINT for one signal alone
//	OTEL_EXPORTER_OTLP_PROTOCOL  http/protobuf (default) or grpc; _TRACES_PROTOCOL and _METRICS_PROTOCOL for one signal
//	OTEL_TRACES_SAMPLER          always_on, always_off, traceidratio, or one of them after parentbased_;
//	                             default: parentbased_always_on
//	OTEL_TRACES_SAMPLER_ARG      the ratio of traceidratio, from 0 to 1; default: 1
//	OTEL_PROPAGATORS             tracecontext and baggage, or none; default: tracecontext,baggage
//
// Other values are refused. The exporters and the SDK read further variables from the environment of the process:
// OTEL_EXPORTER_OTLP_HEADERS, _TIMEOUT, _COMPRESSION, _CERTIFICATE and their variants, OTEL_BSP_*, OTEL_SPAN_*,
// OTEL_METRIC_EXPORT_*.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"

	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// Telemetry is the telemetry of one service. It is safe for concurrent use.
type Telemetry struct {
	tracers    trace.TracerProvider
	meters     metric.MeterProvider
	propagator propagation.TextMapPropagator
	scrape     http.Handler
	gather     func() ([]*dto.MetricFamily, error) // nil without metrics
	text       []string
	pipelines  []pipeline
	sending    context.Context // ends when there is no time left to send
	giveUp     context.CancelFunc
	shutdown   sync.Once
	err        error
}

// pipeline must be flushed and stopped.
type pipeline struct {
	name string
	stop func(context.Context) error
}

// New sets up the telemetry of a service. It does not connect; exporters connect when they first send. It returns all
// mistakes in the environment, joined, each as a *[VariableError]. Ctx limits only New.
func New(ctx context.Context, service string, opts ...Option) (*Telemetry, error) {
	c := config{lookup: os.LookupEnv}
	for _, opt := range opts {
		opt.apply(&c)
	}
	env := &environment{lookup: c.lookup}
	p := plan{
		disabled:   env.boolean("OTEL_SDK_DISABLED"),
		resource:   env.resource(service),
		propagator: env.propagator(),
		sampler:    env.sampler(),
		traces:     env.traces(),
		metrics:    env.metrics(),
	}
	if err := env.err(); err != nil {
		return nil, err
	}
	return p.build(ctx, c)
}

// plan is the configuration from the environment.
type plan struct {
	disabled   bool
	resource   resource.Option
	propagator propagation.TextMapPropagator
	sampler    sampling
	traces     signal
	metrics    signal
}

func (p plan) build(ctx context.Context, c config) (*Telemetry, error) {
	sending, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	t := &Telemetry{
		sending:    sending,
		giveUp:     giveUp,
		tracers:    tracenoop.NewTracerProvider(),
		meters:     metricnoop.NewMeterProvider(),
		propagator: p.propagator,
		scrape:     nothingToScrape("OTEL_SDK_DISABLED=true"),
	}
	if p.disabled {
		t.text = []string{"off: OTEL_SDK_DISABLED=true"}
		return t, nil
	}
	// The service comes first: its instance ID is random, and a configured one replaces it.
	about, err := resource.New(ctx, resource.WithService(), resource.WithTelemetrySDK(),
		resource.WithAttributes(c.attributes...), p.resource)
	if err == nil {
		err = t.buildTraces(ctx, p, c, about)
	}
	if err == nil {
		err = t.buildMetrics(ctx, p, c, about)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("telemetry: %w", err), t.Shutdown(ctx))
	}
	return t, nil
}

// TracerProvider returns the provider of spans. Its tracers can make the sampling decision before they make a span,
// which package tracing uses.
func (t *Telemetry) TracerProvider() trace.TracerProvider { return t.tracers }

// MeterProvider returns the provider of metrics.
func (t *Telemetry) MeterProvider() metric.MeterProvider { return t.meters }

// Propagator returns the propagator for OTEL_PROPAGATORS.
func (t *Telemetry) Propagator() propagation.TextMapPropagator { return t.propagator }

// MetricsHandler returns a handler for scrapes of Prometheus, which also supports OpenMetrics. While metrics are off,
// it answers 404 with the reason.
func (t *Telemetry) MetricsHandler() http.Handler { return t.scrape }

// String describes the recorded signals and their destinations.
func (t *Telemetry) String() string { return strings.Join(t.text, "; ") }

// Shutdown sends the remaining data and stops. It returns when this is done, or when ctx ends, with all errors, joined:
// data that could not be sent, and parts that did not stop in time. Further calls wait for the first and return the
// same error.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	t.shutdown.Do(func() {
		defer t.giveUp()
		if ctx.Err() != nil {
			t.giveUp()
		}
		// When its context ends, the SDK does not stop its remaining parts. Therefore it gets a context that does not end,
		// and the exporters are canceled instead.
		detached := context.WithoutCancel(ctx)
		stopped := make([]chan error, len(t.pipelines))
		for i, p := range t.pipelines {
			stopped[i] = make(chan error, 1)
			go func() { stopped[i] <- p.stop(detached) }()
		}
		for i, p := range t.pipelines {
			t.err = errors.Join(t.err, await(ctx, p.name, stopped[i]))
		}
	})
	return t.err
}

// await waits until a pipeline has stopped or ctx has ended.
func await(ctx context.Context, name string, stopped <-chan error) error {
	select {
	case err := <-stopped:
		return stopError(name, err)
	case <-ctx.Done():
	}
	select {
	case err := <-stopped:
		return stopError(name, err)
	default:
		return fmt.Errorf("telemetry: %s did not stop in time: %w", name, context.Cause(ctx))
	}
}

func stopError(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("telemetry: stopping %s: %w", name, err)
}

// Package telemetry sets up the OpenTelemetry SDK for one service from the standard OTEL_* environment variables, and
// touches none of OpenTelemetry's globals.
//
//	tel, err := telemetry.New(ctx, "orders")
//	if err != nil { ... }
//	defer tel.Shutdown(ctx)
//	tracer := tracing.New(
//		tracing.WithTracerProvider(tel.TracerProvider()),
//		tracing.WithMeterProvider(tel.MeterProvider()),
//		tracing.WithPropagator(tel.Propagator()))
//
// Nothing is sent anywhere until it is asked for, by an endpoint or by naming the exporter. Metrics can always be
// scraped from [Telemetry.MetricsHandler].
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
// A value that is not in this list is refused. The exporters and the SDK read further variables themselves,
// from the environment of the process: OTEL_EXPORTER_OTLP_HEADERS, _TIMEOUT, _COMPRESSION, _CERTIFICATE and their
// variants, OTEL_BSP_*, OTEL_SPAN_*, OTEL_METRIC_EXPORT_*.
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
	gather     func() ([]*dto.MetricFamily, error) // nil: metrics are off
	text       []string
	pipelines  []pipeline
	sending    context.Context // ends when there is no time left to send
	giveUp     context.CancelFunc
	shutdown   sync.Once
	err        error
}

// pipeline is something that must be flushed and stopped.
type pipeline struct {
	name string
	stop func(context.Context) error
}

// New sets the telemetry of a service up. It connects to nothing; exporters connect when they first send. All mistakes
// in the environment are returned at once, joined, each as a *[VariableError]. Ctx bounds New itself.
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

// plan is what the environment asks for.
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
	// The service comes first: its instance ID is random, and a stated one replaces it.
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

// TracerProvider makes spans. Its tracers can decide on a span before it is made, which package tracing makes use of.
func (t *Telemetry) TracerProvider() trace.TracerProvider { return t.tracers }

// MeterProvider measures.
func (t *Telemetry) MeterProvider() metric.MeterProvider { return t.meters }

// Propagator carries span contexts and baggage as OTEL_PROPAGATORS says.
func (t *Telemetry) Propagator() propagation.TextMapPropagator { return t.propagator }

// MetricsHandler answers scrapes of Prometheus, in OpenMetrics where it is asked for. It answers 404 and says why while
// metrics are off.
func (t *Telemetry) MetricsHandler() http.Handler { return t.scrape }

// String says what is recorded and where it goes.
func (t *Telemetry) String() string { return strings.Join(t.text, "; ") }

// Shutdown sends what has not been sent, and stops. It returns when that is done, at the latest when ctx ends, with all
// errors joined: what could not be sent, and what did not stop in time. Further calls wait for the first, and return
// the same.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	t.shutdown.Do(func() {
		defer t.giveUp()
		if ctx.Err() != nil {
			t.giveUp()
		}
		// The SDK leaves running what it has not come to when its context ends. So it gets one that does not end, and the
		// exporters are made to give up instead.
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

// await waits for a pipeline to stop, but not longer than ctx.
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

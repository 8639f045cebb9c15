package tracing

import (
	"fmt"
	"log/slog"
	"strings"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Option configures a [Tracer]. Its String method returns the Go expression that made it.
type Option interface {
	fmt.Stringer
	apply(*config)
}

type config struct {
	tracerProvider trace.TracerProvider
	meterProvider  metric.MeterProvider
	propagator     propagation.TextMapPropagator
	publicEndpoint bool
	logger         *slog.Logger
}

type option struct {
	text string
	set  func(*config)
}

func (o option) String() string  { return o.text }
func (o option) apply(c *config) { o.set(c) }

// WithTracerProvider sets the provider of spans. The default, also for nil, is no spans.
func WithTracerProvider(p trace.TracerProvider) Option {
	return option{fmt.Sprintf("tracing.WithTracerProvider(%T)", p), func(c *config) { c.tracerProvider = p }}
}

// WithMeterProvider sets the provider of metrics. The default, also for nil, is no metrics.
func WithMeterProvider(p metric.MeterProvider) Option {
	return option{fmt.Sprintf("tracing.WithMeterProvider(%T)", p), func(c *config) { c.meterProvider = p }}
}

// WithPropagator sets the propagator, which sends span contexts from client to server. The default, also for nil, is
// propagation.TraceContext and propagation.Baggage. The W3C propagators, alone or composed, are fast. Other propagators
// work on copies of the metadata.
func WithPropagator(p propagation.TextMapPropagator) Option {
	text := "nil"
	if p != nil {
		text = strings.Join(p.Fields(), ", ")
	}
	return option{"tracing.WithPropagator(" + text + ")", func(c *config) { c.propagator = p }}
}

// WithPublicEndpoint is for servers whose callers are not trusted. The span of each call starts a new trace with its
// own sampling decision and is linked to the caller's span. The caller's baggage is dropped. By default the span
// continues the caller's trace.
func WithPublicEndpoint() Option {
	return option{"tracing.WithPublicEndpoint()", func(c *config) { c.publicEndpoint = true }}
}

// WithLogger sets the logger for the warning, once for each method, that otelgrpc is installed, too, and does the same
// work. The default, also for nil, is no warning.
func WithLogger(logger *slog.Logger) Option {
	return option{"tracing.WithLogger(...)", func(c *config) { c.logger = logger }}
}

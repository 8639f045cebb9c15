package tracing

import (
	"fmt"
	"log/slog"
	"strings"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Option changes what a [Tracer] does. An option prints itself.
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

// WithTracerProvider makes spans with the tracers of p. Default: no spans. Nil is the default.
func WithTracerProvider(p trace.TracerProvider) Option {
	return option{fmt.Sprintf("tracing.WithTracerProvider(%T)", p), func(c *config) { c.tracerProvider = p }}
}

// WithMeterProvider measures calls and attempts with the instruments of p. Default: no metrics. Nil is the default.
func WithMeterProvider(p metric.MeterProvider) Option {
	return option{fmt.Sprintf("tracing.WithMeterProvider(%T)", p), func(c *config) { c.meterProvider = p }}
}

// WithPropagator carries span contexts and the other facts that p knows from client to server. Default:
// propagation.TraceContext and propagation.Baggage. Nil is the default. The W3C propagators, alone and composed, are
// fast; any other works through copies of the metadata.
func WithPropagator(p propagation.TextMapPropagator) Option {
	text := "nil"
	if p != nil {
		text = strings.Join(p.Fields(), ", ")
	}
	return option{"tracing.WithPropagator(" + text + ")", func(c *config) { c.propagator = p }}
}

// WithPublicEndpoint is for servers whose callers are not trusted: the span of each call starts a new trace with a
// sampling decision of its own, is linked to the caller's span, and the caller's baggage is dropped. Default: the
// caller's trace goes on.
func WithPublicEndpoint() Option {
	return option{"tracing.WithPublicEndpoint()", func(c *config) { c.publicEndpoint = true }}
}

// WithLogger says, once for each method, that otelgrpc is installed beside the Tracer and does the same work. Default:
// nothing is said. Nil is the default.
func WithLogger(logger *slog.Logger) Option {
	return option{"tracing.WithLogger(...)", func(c *config) { c.logger = logger }}
}

// Package tracing makes spans and metrics for every call and every attempt.
//
// A call is one RPC as its caller sees it. An attempt is one try of the call on the wire. Each has a CLIENT span, and
// the server's span is below the attempt that reached it:
//
//	shop.payments.v1.PaymentsService/GetQuote             CLIENT  the call, with all its attempts and waits
//	├─ Attempt shop.payments.v1.PaymentsService/GetQuote  CLIENT  previous-rpc-attempts=0
//	└─ Attempt shop.payments.v1.PaymentsService/GetQuote  CLIENT  previous-rpc-attempts=1
//	   └─ shop.payments.v1.PaymentsService/GetQuote       SERVER
//
// A [Tracer] has interceptors for both ends, unary and stream. On the client the call interceptor must be the
// outermost, and the attempt interceptor must be inside of the interceptor that repeats calls:
//
//	call span > retry > attempt span > credentials > wire
//
//	t := tracing.New(tracing.WithTracerProvider(spans), tracing.WithMeterProvider(metrics))
//	options := slices.Concat(t.DialOptions(), retrier.DialOptions(), t.AttemptDialOptions(), ...)
//	cc, err := grpc.NewClient(target, options...)
//	srv := grpc.NewServer(t.ServerOptions()...)
//
// Each attempt sends its own span in exactly one W3C traceparent header. If the call's span is not recorded, its
// attempts have no spans and send the call's span.
//
// Calls are measured once per call (rpc.client.call.duration, rpc.server.call.duration) and once per attempt
// (grpc.client.attempt.started, grpc.client.attempt.duration). Names are those of the OpenTelemetry semantic
// conventions 1.45 and of gRFC A66. Health checks and reflection are neither traced nor measured.
package tracing

import (
	"fmt"
	"time"

	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/grpc"

	"github.com/parley-rpc/parley/internal/vocabulary"
)

const (
	schemaURL = "https://opentelemetry.io/schemas/1.45.0"
	scopeName = "github.com/parley-rpc/parley/interceptors/tracing"
)

// Tracer makes the spans and measurements of RPCs. It has no goroutines and need not be closed. It is safe for
// concurrent use, and any number of channels and servers may share one.
type Tracer struct {
	config
	tracer      trace.Tracer // nil without spans
	decider     Decider      // nil if the tracer cannot decide in advance
	instruments *instruments // nil without metrics
	headers     headers
	spanKey     any
	unrecorded  unrecorded
	born        time.Time
	clients     cache[clientKey, clientMethod]
	servers     cache[string, serverMethod]
	err         error
}

// New returns a Tracer. Without [WithTracerProvider] it makes no spans, and without [WithMeterProvider] it measures
// nothing. It always passes an incoming span context on. [Tracer.Check] returns mistakes in the options.
func New(opts ...Option) *Tracer {
	t := &Tracer{spanKey: spanKey(), born: time.Now()}
	t.unrecorded.tracer = t
	for _, opt := range opts {
		opt.apply(&t.config)
	}
	if p := t.tracerProvider; p != nil && p != (tracenoop.TracerProvider{}) {
		t.tracer = p.Tracer(scopeName, trace.WithSchemaURL(schemaURL))
		t.decider, _ = t.tracer.(Decider)
	}
	if p := t.meterProvider; p != nil && p != (metricnoop.MeterProvider{}) {
		t.instruments, t.err = newInstruments(p.Meter(scopeName, metric.WithSchemaURL(schemaURL)))
	}
	t.headers = newHeaders(t.propagator)
	return t
}

// Check returns all mistakes, joined, or nil: a meter provider that refuses an instrument. A Tracer with mistakes works
// without the refused instruments.
func (t *Tracer) Check() error {
	if t.err == nil {
		return nil
	}
	return fmt.Errorf("tracing: the provider given to tracing.WithMeterProvider refuses an instrument: %w", t.err)
}

// DialOptions returns the interceptors of calls. They must come before all others, so that a call includes its attempts
// and the waits between them. They do not send a span context; only attempts do, see [Tracer.AttemptDialOptions].
func (t *Tracer) DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(t.UnaryCallInterceptor),
		grpc.WithChainStreamInterceptor(t.StreamCallInterceptor),
	}
}

// AttemptDialOptions returns the interceptors of attempts. They must come after the interceptor that repeats calls, or
// directly after [Tracer.DialOptions] if there is none.
func (t *Tracer) AttemptDialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(t.UnaryAttemptInterceptor),
		grpc.WithChainStreamInterceptor(t.StreamAttemptInterceptor),
	}
}

// ServerOptions returns the interceptors of a server. They must come before all others.
func (t *Tracer) ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(t.UnaryServerInterceptor),
		grpc.ChainStreamInterceptor(t.StreamServerInterceptor),
	}
}

// off reports whether the Tracer has neither spans nor metrics.
func (t *Tracer) off() bool { return t.tracer == nil && t.instruments == nil }

// instruments are the instruments for RPCs.
type instruments struct {
	callDuration    metric.Float64Histogram
	attemptStarted  metric.Int64Counter
	attemptDuration metric.Float64Histogram
	serverDuration  metric.Float64Histogram
}

func newInstruments(meter metric.Meter) (*instruments, error) {
	of := vocabulary.From(meter)
	return &instruments{
		callDuration:    of.Seconds(vocabulary.MetricClientCallDuration, durationBuckets()...),
		attemptStarted:  of.Counter(vocabulary.MetricClientAttemptStarted),
		attemptDuration: of.Seconds(vocabulary.MetricClientAttemptDuration, durationBuckets()...),
		serverDuration:  of.Seconds(vocabulary.MetricServerCallDuration, durationBuckets()...),
	}, of.Err()
}

// Package tracing shows every call and every attempt of it, as spans and as metrics.
//
// A call is what the caller asked for; an attempt is one try of it on the wire. Each has a CLIENT span, and the
// server's span hangs below the attempt that reached it:
//
//	shop.payments.v1.PaymentsService/GetQuote             CLIENT  the call, with all its attempts and waits
//	├─ Attempt shop.payments.v1.PaymentsService/GetQuote  CLIENT  previous-rpc-attempts=0
//	└─ Attempt shop.payments.v1.PaymentsService/GetQuote  CLIENT  previous-rpc-attempts=1
//	   └─ shop.payments.v1.PaymentsService/GetQuote       SERVER
//
// A [Tracer] yields interceptors for both ends, unary and stream. On the client the call belongs outermost, and the
// attempt below the interceptor that repeats calls:
//
//	call span > retry > attempt span > credentials > wire
//
//	t := tracing.New(tracing.WithTracerProvider(spans), tracing.WithMeterProvider(metrics))
//	options := slices.Concat(t.DialOptions(), retrier.DialOptions(), t.AttemptDialOptions(), ...)
//	cc, err := grpc.NewClient(target, options...)
//	srv := grpc.NewServer(t.ServerOptions()...)
//
// Each attempt carries its own span in the W3C traceparent header, and exactly one. When the call's span is not
// recorded, no span is made for its attempts, and they carry the call's.
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

// Tracer makes the spans and measurements of RPCs. It holds no goroutine and needs no close; it is safe for concurrent
// use, and one Tracer may serve any number of channels and servers.
type Tracer struct {
	config
	tracer      trace.Tracer // nil: spans are off
	decider     Decider      // nil: only Start knows
	instruments *instruments // nil: metrics are off
	headers     headers
	spanKey     any
	unrecorded  unrecorded
	born        time.Time
	clients     cache[clientKey, clientMethod]
	servers     cache[string, serverMethod]
	err         error
}

// New returns a Tracer. Without [WithTracerProvider] it makes no spans, without [WithMeterProvider] it measures
// nothing; an incoming span context is passed on in either case. What is wrong with the options is kept for
// [Tracer.Check].
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

// Check returns what is wrong with the Tracer, all mistakes joined, or nil: a meter provider that refuses an
// instrument. A Tracer that fails the check works, and measures what it can.
func (t *Tracer) Check() error {
	if t.err == nil {
		return nil
	}
	return fmt.Errorf("tracing: the provider given to tracing.WithMeterProvider refuses an instrument: %w", t.err)
}

// DialOptions are the interceptors of the call. They belong before all others, so that the call covers its attempts and
// the waits between them. They send nothing: only an attempt does, see [Tracer.AttemptDialOptions].
func (t *Tracer) DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(t.UnaryCallInterceptor),
		grpc.WithChainStreamInterceptor(t.StreamCallInterceptor),
	}
}

// AttemptDialOptions are the interceptors of each attempt. They belong below whatever repeats calls, and directly below
// [Tracer.DialOptions] where nothing does.
func (t *Tracer) AttemptDialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(t.UnaryAttemptInterceptor),
		grpc.WithChainStreamInterceptor(t.StreamAttemptInterceptor),
	}
}

// ServerOptions are the interceptors of a server. They belong before all others.
func (t *Tracer) ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(t.UnaryServerInterceptor),
		grpc.ChainStreamInterceptor(t.StreamServerInterceptor),
	}
}

// off reports whether nothing is recorded about calls.
func (t *Tracer) off() bool { return t.tracer == nil && t.instruments == nil }

// instruments are what RPCs are measured with.
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

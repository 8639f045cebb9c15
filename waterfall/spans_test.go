package waterfall_test

import (
	"context"
	"encoding/binary"
	"strconv"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/parley-rpc/parley/waterfall"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

const (
	ms     = time.Millisecond
	quote  = "shop.payments.v1.PaymentsService/GetQuote"
	charge = "shop.payments.v1.PaymentsService/Charge"
	place  = "shop.orders.v1.OrdersService/PlaceOrder"
)

// epoch is when every script begins.
var epoch = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

// tape makes spans at times that a test states, in the way that Parley's tracing makes them.
type tape struct {
	ring   *waterfall.Ring
	tracer trace.Tracer
}

func newTape(size int, options ...waterfall.Option) *tape {
	ring := waterfall.NewRing(size, options...)
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(ring), sdktrace.WithIDGenerator(new(counter)))
	return &tape{ring, provider.Tracer("test")}
}

// only is the one call that the ring holds.
func (tp *tape) only(t *testing.T) waterfall.Call {
	t.Helper()
	calls := tp.ring.Calls()
	if len(calls) != 1 {
		t.Fatalf("the ring holds %d calls, want 1", len(calls))
	}
	return calls[0]
}

// recorded is a span under way.
type recorded struct {
	context.Context
	trace.Span
}

func (tp *tape) start(ctx context.Context, name string, kind trace.SpanKind, at time.Duration,
	attrs ...attribute.KeyValue,
) recorded {
	ctx, s := tp.tracer.Start(ctx, name, trace.WithSpanKind(kind), trace.WithTimestamp(epoch.Add(at)),
		trace.WithAttributes(attrs...))
	return recorded{ctx, s}
}

func (tp *tape) call(ctx context.Context, method string, at time.Duration, attrs ...attribute.KeyValue) recorded {
	return tp.start(ctx, method, trace.SpanKindClient, at, append(attrs, attribute.String("rpc.system.name", "grpc"))...)
}

func (tp *tape) attempt(call recorded, number int, at time.Duration, attrs ...attribute.KeyValue) recorded {
	method := call.Span.(sdktrace.ReadOnlySpan).Name()
	return tp.start(call, "Attempt "+method, trace.SpanKindClient, at,
		append(attrs, attribute.Int("previous-rpc-attempts", number-1))...)
}

func (tp *tape) serve(attempt context.Context, method string, at time.Duration, attrs ...attribute.KeyValue) recorded {
	return tp.start(attempt, method, trace.SpanKindServer, at, attrs...)
}

func (s recorded) end(at time.Duration, status string, attrs ...attribute.KeyValue) {
	s.SetAttributes(append(attrs, attribute.String("rpc.status_code", status))...)
	if status != "OK" {
		s.SetStatus(codes.Error, "")
	}
	s.End(trace.WithTimestamp(epoch.Add(at)))
}

func (s recorded) event(at time.Duration, name string, attrs ...attribute.KeyValue) {
	s.AddEvent(name, trace.WithTimestamp(epoch.Add(at)), trace.WithAttributes(attrs...))
}

func (s recorded) wait(at time.Duration, next int, backoff time.Duration, source string) {
	s.event(at, "retry.scheduled", attribute.Int("next_attempt", next), attribute.Float64("backoff_s", backoff.Seconds()),
		attribute.String("cause", "UNAVAILABLE"), attribute.String("source", source))
}

func at(endpoint string, port int) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("network.peer.address", endpoint),
		attribute.Int("network.peer.port", port),
	}
}

func stopped(outcome, reason string, attempts int) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.Int("parley.attempts", attempts), attribute.String("parley.retry.outcome", outcome),
		attribute.String("parley.retry.stop_reason", reason),
	}
}

func deadline(d time.Duration) attribute.KeyValue {
	return attribute.Float64("parley.deadline", d.Seconds())
}

// counter makes IDs that count from 1.
type counter struct{ traces, spans uint64 }

func (c *counter) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	c.traces++
	var id trace.TraceID
	binary.BigEndian.PutUint64(id[8:], c.traces)
	return id, c.NewSpanID(ctx, id)
}

func (c *counter) NewSpanID(context.Context, trace.TraceID) (id trace.SpanID) {
	c.spans++
	binary.BigEndian.PutUint64(id[:], c.spans)
	return id
}

func traceID(n int) string {
	hex := strconv.FormatInt(int64(n), 16)
	return "00000000000000000000000000000000"[len(hex):] + hex
}

func (*tape) background() context.Context { return context.Background() }

// remote is the context of a call whose caller is in another process.
func (*tape) remote() context.Context {
	return trace.ContextWithRemoteSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{0xab}, SpanID: trace.SpanID{0xcd}, TraceFlags: trace.FlagsSampled, Remote: true,
	}))
}

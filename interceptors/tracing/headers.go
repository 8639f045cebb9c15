package tracing

import (
	"context"
	"reflect"
	"strings"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/internal/contextkey"
)

const (
	// The header of gRFC A72.
	previousAttemptsHeader = "grpc-previous-rpc-attempts"

	// The headers of W3C Trace Context and Baggage.
	traceparentHeader = "traceparent"
	tracestateHeader  = "tracestate"
	baggageHeader     = "baggage"
)

// headers reads and writes span contexts and baggage in the metadata of a call. It reads and writes the W3C formats
// directly. Every other propagator works on copies of the metadata.
type headers struct {
	traceContext bool
	baggage      bool
	other        propagation.TextMapPropagator // nil: W3C
	incoming     any                           // under which gRPC keeps the metadata received
	outgoing     any                           // under which gRPC keeps the metadata to be sent
}

func newHeaders(p propagation.TextMapPropagator) headers {
	h := headers{
		incoming: contextkey.AskedBy(func(ctx context.Context) { metadata.FromIncomingContext(ctx) }),
		outgoing: contextkey.AskedBy(func(ctx context.Context) { metadata.FromOutgoingContext(ctx) }),
	}
	if p == nil {
		p = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})
	}
	if !h.admit(p) {
		h.other = p
	}
	return h
}

// admit handles p directly. It reports false if p is not one of the W3C formats.
func (h *headers) admit(p propagation.TextMapPropagator) bool {
	switch p.(type) {
	case propagation.TraceContext:
		h.traceContext = true
		return true
	case propagation.Baggage:
		h.baggage = true
		return true
	}
	if reflect.TypeOf(p) != reflect.TypeOf(propagation.NewCompositeTextMapPropagator()) {
		return false
	}
	parts := reflect.ValueOf(p)
	for i := range parts.Len() {
		part, ok := reflect.TypeAssert[propagation.TextMapPropagator](parts.Index(i))
		if !ok || !h.admit(part) {
			return false
		}
	}
	return true
}

// received returns the metadata of a received call. It is shared and must not be modified.
func (h *headers) received(ctx context.Context) metadata.MD {
	if md, ok := ctx.Value(h.incoming).(metadata.MD); ok {
		return md
	}
	md, _ := metadata.FromIncomingContext(ctx)
	return md
}

// extract returns the caller's span context, and ctx with the baggage that the caller sent, if the caller is
// trusted.
func (h *headers) extract(ctx context.Context, trusted bool) (context.Context, trace.SpanContext) {
	md := h.received(ctx)
	if h.other != nil {
		extracted := h.other.Extract(ctx, carrier(md))
		remote := trace.SpanContextFromContext(extracted)
		if !remote.IsRemote() {
			remote = trace.SpanContext{}
		}
		if !trusted {
			extracted = ctx
		}
		return extracted, remote
	}
	if h.baggage && trusted && len(md[baggageHeader]) > 0 {
		ctx = propagation.Baggage{}.Extract(ctx, carrier(md))
	}
	if !h.traceContext {
		return ctx, trace.SpanContext{}
	}
	return ctx, remoteSpan(md)
}

// remoteSpan reads the W3C headers. It ignores the header if there are two traceparents.
func remoteSpan(md metadata.MD) trace.SpanContext {
	parents := md[traceparentHeader]
	if len(parents) != 1 {
		return trace.SpanContext{}
	}
	sc, ok := parseTraceparent(parents[0])
	if !ok {
		return trace.SpanContext{}
	}
	sc.Remote = true
	if states := md[tracestateHeader]; len(states) > 0 {
		if state, err := trace.ParseTraceState(strings.Join(states, ",")); err == nil {
			sc.TraceState = state
		}
	}
	return trace.NewSpanContext(sc)
}

// inject returns a context whose outgoing metadata identifies its current span and no other span.
func (h *headers) inject(ctx context.Context) context.Context {
	if h.other != nil {
		return injectOther(ctx, h.other)
	}
	var parent, state, bag string
	if h.traceContext {
		if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
			parent, state = formatTraceparent(sc), sc.TraceState().String()
		}
	}
	if h.baggage {
		if b := baggage.FromContext(ctx); b.Len() > 0 {
			bag = b.String()
		}
	}
	if parent == "" && bag == "" {
		return ctx
	}
	if !h.sends(ctx) {
		return appendHeaders(ctx, parent, state, bag)
	}
	md, _ := metadata.FromOutgoingContext(ctx)
	if parent != "" {
		delete(md, traceparentHeader)
		delete(md, tracestateHeader)
	}
	if bag != "" {
		delete(md, baggageHeader)
	}
	return appendHeaders(metadata.NewOutgoingContext(ctx, md), parent, state, bag)
}

// sends reports whether the outgoing metadata already has one of these headers, because a handler forwards the metadata
// of its caller.
func (h *headers) sends(ctx context.Context) bool {
	if h.outgoing != nil && ctx.Value(h.outgoing) == nil {
		return false
	}
	return metadata.ValueFromOutgoingContext(ctx, traceparentHeader) != nil ||
		metadata.ValueFromOutgoingContext(ctx, tracestateHeader) != nil ||
		h.baggage && metadata.ValueFromOutgoingContext(ctx, baggageHeader) != nil
}

func appendHeaders(ctx context.Context, parent, state, bag string) context.Context {
	if state == "" && bag == "" {
		return metadata.AppendToOutgoingContext(ctx, traceparentHeader, parent)
	}
	var pairs []string
	for _, header := range [...][2]string{{traceparentHeader, parent}, {tracestateHeader, state}, {baggageHeader, bag}} {
		if header[1] != "" {
			pairs = append(pairs, header[:]...)
		}
	}
	return metadata.AppendToOutgoingContext(ctx, pairs...)
}

func injectOther(ctx context.Context, p propagation.TextMapPropagator) context.Context {
	added := metadata.MD{}
	p.Inject(ctx, carrier(added))
	if len(added) == 0 {
		return ctx
	}
	md, _ := metadata.FromOutgoingContext(ctx)
	for _, field := range p.Fields() {
		delete(md, strings.ToLower(field))
	}
	return metadata.NewOutgoingContext(ctx, metadata.Join(md, added))
}

// carrier is the metadata of a call as the carrier of a propagator.
type carrier metadata.MD

// Get returns the first value of the header, as propagators expect.
func (c carrier) Get(key string) string {
	if values := metadata.MD(c).Get(key); len(values) > 0 {
		return values[0]
	}
	return ""
}

// Values returns all values of the header.
func (c carrier) Values(key string) []string { return metadata.MD(c).Get(key) }

// Set replaces all values of the header.
func (c carrier) Set(key, value string) { metadata.MD(c).Set(key, value) }

// Keys lists the headers.
func (c carrier) Keys() []string {
	keys := make([]string, 0, len(c))
	for key := range c {
		keys = append(keys, key)
	}
	return keys
}

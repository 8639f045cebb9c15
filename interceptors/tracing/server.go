package tracing

import (
	"context"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"

	"github.com/parley-rpc/parley/internal/vocabulary"
)

// UnaryServerInterceptor traces and measures a served call. It must come before all other interceptors.
func (t *Tracer) UnaryServerInterceptor(ctx context.Context, req any, info *grpc.UnaryServerInfo,
	handler grpc.UnaryHandler,
) (any, error) {
	m := t.serverMethod(info.FullMethod, true)
	if m.silent {
		return handler(ctx, req)
	}
	o := t.startServer(ctx, m, info.FullMethod)
	err := error(unwound{})
	defer func() { o.end(err) }()
	var reply any
	reply, err = handler(o.ctx, req)
	return reply, err
}

// StreamServerInterceptor is like [Tracer.UnaryServerInterceptor], for streams.
func (t *Tracer) StreamServerInterceptor(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo,
	handler grpc.StreamHandler,
) error {
	// Only the handler for unknown methods has no service.
	m := t.serverMethod(info.FullMethod, srv != nil)
	if m.silent {
		return handler(srv, stream)
	}
	o := t.startServer(stream.Context(), m, info.FullMethod)
	err := error(unwound{})
	defer func() { o.end(err) }()
	err = handler(srv, &serverStream{ServerStream: stream, ctx: o.ctx})
	return err
}

// serverStream is a stream with the context of its span.
type serverStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *serverStream) Context() context.Context { return s.ctx }

// startServer starts the span and the clock of a received call, below the attempt of the caller. If otelgrpc has made a
// span for the call, startServer makes none, unless the endpoint is public, because the span of otelgrpc would pass the
// caller's baggage on.
func (t *Tracer) startServer(ctx context.Context, m *serverMethod, method string) operation {
	o := operation{ctx: ctx, results: &m.results}
	var own *spanContext
	var links []trace.SpanStartOption
	ctx, remote := t.headers.extract(ctx, !t.publicEndpoint)
	if t.tracer != nil && !t.publicEndpoint && m.otelgrpc.served(ctx, remote) {
		if m.otelgrpc.said.first() {
			t.warn(ctx, "server", "its spans stand for the calls that are received")
		}
		o.ctx = ctx
		t.startClock(&o)
		return o
	}
	switch {
	case t.publicEndpoint:
		if trace.SpanContextFromContext(ctx).IsValid() {
			ctx = t.carry(ctx, trace.SpanContext{})
		}
		if remote.IsValid() {
			links = []trace.SpanStartOption{trace.WithLinks(trace.Link{SpanContext: remote})}
		}
	case remote.IsValid():
		if own = t.newSpanContext(ctx, remote); own != nil {
			ctx = own
		} else {
			ctx = trace.ContextWithRemoteSpanContext(ctx, remote)
		}
	}
	o.ctx, o.span = t.start(ctx, &m.birth, own, links...)
	if o.span != nil {
		o.span.SetAttributes(t.received(ctx, m, method)...)
	}
	t.startClock(&o)
	return o
}

func (t *Tracer) startClock(o *operation) {
	if t.instruments != nil {
		o.time(t, t.instruments.serverDuration)
	}
}

// received returns the attributes of this call: the address of the caller, and the number of earlier attempts.
func (t *Tracer) received(ctx context.Context, m *serverMethod, method string) []attribute.KeyValue {
	details := make([]attribute.KeyValue, 0, 2)
	if p, ok := peer.FromContext(ctx); ok && p.Addr != nil {
		host, port := hostPort(p.Addr)
		details = append(details, attribute.String(vocabulary.AttrPeerAddress, host))
		if port != 0 {
			details = append(details, attribute.Int(vocabulary.AttrPeerPort, port))
		}
	}
	if before := t.headers.received(ctx)[previousAttemptsHeader]; len(before) == 1 {
		if n, err := strconv.ParseUint(before[0], 10, 31); err == nil {
			details = append(details, attribute.Int(vocabulary.AttrPreviousAttempts, int(n)))
		}
	}
	if m.unknown {
		details = append(details, attribute.String(vocabulary.AttrMethodOriginal, method))
	}
	return details
}

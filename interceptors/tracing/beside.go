package tracing

import (
	"context"
	"log/slog"
	"sync/atomic"

	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
)

// otelgrpcScope is the scope of the spans of otelgrpc, which makes a span for each attempt and for each received call,
// like this package.
const otelgrpcScope = "go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"

// madeByOtelgrpc reports whether the current span is one of otelgrpc.
func madeByOtelgrpc(ctx context.Context) bool {
	scoped, ok := trace.SpanFromContext(ctx).(interface {
		InstrumentationScope() instrumentation.Scope
	})
	return ok && scoped.InstrumentationScope().Name == otelgrpcScope
}

// once runs a function once.
type once struct{ done atomic.Bool }

func (o *once) first() bool { return !o.done.Load() && !o.done.Swap(true) }

// beside is the state of the search for otelgrpc, for one method of a server.
type beside struct {
	absent atomic.Bool
	said   once
}

// served reports whether otelgrpc has made the span of a received call, in the trace of the caller; without a
// propagator it starts another trace. If a call once had no span, otelgrpc is not installed, and later calls are not
// checked.
func (b *beside) served(ctx context.Context, caller trace.SpanContext) bool {
	if b.absent.Load() {
		return false
	}
	own := trace.SpanContextFromContext(ctx)
	if !own.IsValid() {
		b.absent.Store(true)
		return false
	}
	return madeByOtelgrpc(ctx) && (!caller.IsValid() || caller.TraceID() == own.TraceID())
}

// warn logs that otelgrpc does the same work.
func (t *Tracer) warn(ctx context.Context, where, consequence string) {
	if t.logger != nil {
		t.logger.LogAttrs(ctx, slog.LevelWarn,
			"otelgrpc is installed beside Parley's tracing: "+consequence+"; remove its stats handler",
			slog.String("on", where))
	}
}

// lookout implements per-RPC credentials without credentials. gRPC calls them with the context of the attempt, which
// has the span of a stats handler such as that of otelgrpc.
type lookout struct {
	tracer *Tracer
	target string
}

// GetRequestMetadata returns nothing.
func (l lookout) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	if madeByOtelgrpc(ctx) {
		l.tracer.warn(ctx, "channel to "+l.target, "each attempt has two CLIENT spans")
	}
	return nil, nil
}

// RequireTransportSecurity returns false, because there are no credentials.
func (lookout) RequireTransportSecurity() bool { return false }

// lookOut adds a lookout to the first attempt of each method. It comes first, so that the caller's own credentials
// replace it.
func (t *Tracer) lookOut(m *clientMethod, cc *grpc.ClientConn, opts []grpc.CallOption) []grpc.CallOption {
	if t.logger == nil || t.tracer == nil || !m.looked.first() {
		return opts
	}
	look := lookout{tracer: t}
	if cc != nil {
		look.target = cc.Target()
	}
	return append([]grpc.CallOption{grpc.PerRPCCredentials(look)}, opts...)
}

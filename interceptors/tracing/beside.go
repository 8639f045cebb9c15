package tracing

import (
	"context"
	"log/slog"
	"sync/atomic"

	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
)

// otelgrpcScope is the scope of the spans of otelgrpc, which makes one for each attempt and one for each received call,
// as this package does.
const otelgrpcScope = "go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"

// madeByOtelgrpc reports whether the current span is one of otelgrpc.
func madeByOtelgrpc(ctx context.Context) bool {
	scoped, ok := trace.SpanFromContext(ctx).(interface {
		InstrumentationScope() instrumentation.Scope
	})
	return ok && scoped.InstrumentationScope().Name == otelgrpcScope
}

// once is something to be done once.
type once struct{ done atomic.Bool }

func (o *once) first() bool { return !o.done.Load() && !o.done.Swap(true) }

// beside is what is known of otelgrpc on a server of one method.
type beside struct {
	absent atomic.Bool
	said   once
}

// served reports whether otelgrpc has made the span of a call that was received, in the trace of its caller: without a
// propagator of its own it begins another one. Where a call once had no span at all, there is no otelgrpc, and nobody
// looks again.
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

// warn says that otelgrpc does the same work.
func (t *Tracer) warn(ctx context.Context, where, consequence string) {
	if t.logger != nil {
		t.logger.LogAttrs(ctx, slog.LevelWarn,
			"otelgrpc is installed beside Parley's tracing: "+consequence+"; remove its stats handler",
			slog.String("on", where))
	}
}

// lookout is per-RPC credentials that hold none. gRPC asks for them with the context of the attempt, in which a stats
// handler such as that of otelgrpc has left its span.
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

// RequireTransportSecurity returns false: there is nothing to protect.
func (lookout) RequireTransportSecurity() bool { return false }

// lookOut adds a lookout to the first attempt of each method. It stands first, so that the caller's own credentials
// take its place.
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

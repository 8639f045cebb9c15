package tracing_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"

	"github.com/parley-rpc/parley/interceptors/tracing"
)

// doubled is a stats handler that makes spans as otelgrpc does.
type doubled struct {
	tracer trace.Tracer
	kind   trace.SpanKind
}

func newDoubled(kind trace.SpanKind, recorder sdktrace.SpanProcessor) *doubled {
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	return &doubled{provider.Tracer("go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"), kind}
}

func (d *doubled) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	if d.kind == trace.SpanKindServer {
		md, _ := metadata.FromIncomingContext(ctx)
		ctx = propagation.TraceContext{}.Extract(ctx,
			propagation.HeaderCarrier(map[string][]string{"Traceparent": md.Get("traceparent")}))
	}
	ctx, _ = d.tracer.Start(ctx, "otelgrpc "+info.FullMethodName, trace.WithSpanKind(d.kind))
	return ctx
}

func (*doubled) HandleRPC(ctx context.Context, s stats.RPCStats) {
	if _, ok := s.(*stats.End); ok {
		trace.SpanFromContext(ctx).End()
	}
}

func (*doubled) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (*doubled) HandleConn(context.Context, stats.ConnStats)                       {}

func TestOtelgrpcBesideIsNoticed(t *testing.T) {
	for _, test := range []struct {
		name  string
		kind  trace.SpanKind
		opts  []tracing.Option
		says  string
		spans int // SERVER spans of ours
	}{
		{
			name: "client", kind: trace.SpanKindClient,
			says:  `each attempt has two CLIENT spans; remove its stats handler" on="channel to passthrough:///shop:8443"`,
			spans: 2,
		},
		{
			name: "server", kind: trace.SpanKindServer,
			says: `its spans stand for the calls that are received; remove its stats handler" on=server`,
		},
		{name: "public endpoint", kind: trace.SpanKindServer, opts: []tracing.Option{tracing.WithPublicEndpoint()}, spans: 2},
	} {
		bubble(t, test.name, func(t *testing.T) {
			var log strings.Builder
			other := newDoubled(test.kind, tracetest.NewSpanRecorder())
			s := setup{tracer: append(test.opts, tracing.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))}
			if test.kind == trace.SpanKindServer {
				s.server = []grpc.ServerOption{grpc.StatsHandler(other)}
			} else {
				s.dialing = func(tracer *tracing.Tracer) []grpc.DialOption {
					return append(append(tracer.DialOptions(), tracer.AttemptDialOptions()...), grpc.WithStatsHandler(other))
				}
			}
			r := newRig(t, s)
			for range 2 {
				if err := get(t.Context(), r); err != nil {
					t.Fatal(err)
				}
			}
			tree := r.tree()
			if got := strings.Count(tree, "SERVER"); got != test.spans {
				t.Errorf("%d SERVER spans of ours, want %d:%s", got, test.spans, tree)
			}
			if test.says == "" {
				if log.Len() != 0 {
					t.Errorf("it says %s", log.String())
				}
				return
			}
			if !strings.Contains(log.String(), test.says) || strings.Count(log.String(), "\n") != 1 {
				t.Errorf("it says %q, want once %q", log.String(), test.says)
			}
		})
	}
}

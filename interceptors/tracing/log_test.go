package tracing_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/parley-rpc/parley/interceptors/tracing"
)

// plain writes records as text, without the time.
func plain(b *strings.Builder) *slog.Logger {
	return slog.New(tracing.LogHandler(slog.NewTextHandler(b, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	})))
}

func TestLogHandler(t *testing.T) {
	const ids = "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7"
	id, _ := trace.TraceIDFromHex(foreignTrace)
	span, _ := trace.SpanIDFromHex(foreignSpan)
	inside := trace.ContextWithSpanContext(t.Context(),
		trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: span}))
	for _, test := range []struct {
		name string
		ctx  context.Context
		with func(*slog.Logger) *slog.Logger
		want string
	}{
		{"outside of a span", t.Context(), nil, "level=INFO msg=hello n=1"},
		{"in a span", inside, nil, "level=INFO msg=hello n=1 " + ids},
		{
			"with attributes", inside, func(l *slog.Logger) *slog.Logger { return l.With(slog.Int("a", 1)) },
			"level=INFO msg=hello a=1 n=1 " + ids,
		},
		{
			"in a group", inside, func(l *slog.Logger) *slog.Logger {
				return l.With(slog.Int("a", 1)).WithGroup("g").With(slog.Int("b", 2))
			},
			"level=INFO msg=hello a=1 " + ids + " g.b=2 g.n=1",
		},
		{
			"in a group, outside of a span", t.Context(),
			func(l *slog.Logger) *slog.Logger { return l.WithGroup("g").With(slog.Int("b", 2)) },
			"level=INFO msg=hello g.b=2 g.n=1",
		},
		{
			"in a group without a name", inside, func(l *slog.Logger) *slog.Logger { return l.WithGroup("") },
			"level=INFO msg=hello n=1 " + ids,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var b strings.Builder
			log := plain(&b)
			if test.with != nil {
				log = test.with(log)
			}
			log.InfoContext(test.ctx, "hello", slog.Int("n", 1))
			log.DebugContext(test.ctx, "too quiet")
			if got := strings.TrimSpace(b.String()); got != test.want {
				t.Errorf("%s\nwant %s", got, test.want)
			}
		})
	}
}

package tracing

import (
	"context"
	"log/slog"
	"slices"

	"go.opentelemetry.io/otel/trace"
)

// The attributes of a log record.
const (
	logTraceID = "trace_id"
	logSpanID  = "span_id"
)

// LogHandler returns a handler that adds trace_id and span_id to each record that is logged with the context of a span,
// recorded or not, and passes it on. They are at the top level, outside of every group of the logger.
func LogHandler(next slog.Handler) slog.Handler { return &logHandler{next: next, outside: next} }

// logHandler writes to next. If the logger has opened a group, the IDs must be outside of it: they are added to the
// handler before the group, and the later steps are repeated.
type logHandler struct {
	next    slog.Handler
	outside slog.Handler
	inside  []func(slog.Handler) slog.Handler
}

func (h *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

func (h *logHandler) Handle(ctx context.Context, record slog.Record) error {
	sc := trace.SpanContextFromContext(ctx)
	if !sc.IsValid() {
		return h.next.Handle(ctx, record)
	}
	ids := []slog.Attr{slog.String(logTraceID, sc.TraceID().String()), slog.String(logSpanID, sc.SpanID().String())}
	if len(h.inside) == 0 {
		record = record.Clone()
		record.AddAttrs(ids...)
		return h.next.Handle(ctx, record)
	}
	next := h.outside.WithAttrs(ids)
	for _, again := range h.inside {
		next = again(next)
	}
	return next.Handle(ctx, record)
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(h.inside) == 0 {
		return LogHandler(h.next.WithAttrs(attrs))
	}
	return h.within(func(next slog.Handler) slog.Handler { return next.WithAttrs(attrs) })
}

func (h *logHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return h.within(func(next slog.Handler) slog.Handler { return next.WithGroup(name) })
}

func (h *logHandler) within(step func(slog.Handler) slog.Handler) slog.Handler {
	return &logHandler{next: step(h.next), outside: h.outside, inside: append(slices.Clip(h.inside), step)}
}

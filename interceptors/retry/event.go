package retry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/parley-rpc/parley/internal/vocabulary"
)

// emit puts an event on the span of ctx, or with no name its attributes on the span itself. All that the retrier shows
// goes through here. Attributes is asked only if the span records.
func emit(ctx context.Context, event string, attributes func() []attribute.KeyValue) {
	span := trace.SpanFromContext(ctx)
	switch {
	case !span.IsRecording():
	case event == "":
		span.SetAttributes(attributes()...)
	default:
		span.AddEvent(event, trace.WithAttributes(attributes()...))
	}
}

// showDeadline shows the deadline that the policy sets. That of the caller is known without it.
func (c *call) showDeadline(ctx context.Context) {
	if c.limit == nil {
		return
	}
	emit(ctx, "", func() []attribute.KeyValue {
		return []attribute.KeyValue{attribute.Float64(vocabulary.AttrDeadline, c.limit.Value.Seconds())}
	})
}

// showWait shows that there will be another attempt.
func (c *call) showWait(ctx context.Context, f *failure, delay time.Duration) {
	emit(ctx, vocabulary.EventScheduled, func() []attribute.KeyValue {
		attributes := []attribute.KeyValue{
			attribute.Int(vocabulary.AttrNextAttempt, c.attempts+1),
			attribute.Float64(vocabulary.AttrBackoff, delay.Seconds()),
			attribute.String(vocabulary.AttrCause, f.cause()),
			attribute.String(vocabulary.AttrSource, f.hint.source()),
		}
		return c.withEndpoint(attributes)
	})
}

// showConnecting shows that there will be another attempt once there is a connection.
func (c *call) showConnecting(ctx context.Context, f *failure) {
	emit(ctx, vocabulary.EventScheduled, func() []attribute.KeyValue {
		return []attribute.KeyValue{
			attribute.Int(vocabulary.AttrNextAttempt, c.attempts+1),
			attribute.Float64(vocabulary.AttrBackoff, 0),
			attribute.String(vocabulary.AttrCause, f.cause()),
			attribute.String(vocabulary.AttrSource, "connection"),
		}
	})
}

// withEndpoint adds the endpoint of the last attempt, if it reached one.
func (c *call) withEndpoint(attributes []attribute.KeyValue) []attribute.KeyValue {
	if n := len(c.endpoints); n > 0 && c.endpoints[n-1] != "" {
		return append(attributes, attribute.String(vocabulary.AttrEndpoint, c.endpoints[n-1]))
	}
	return attributes
}

// showHedge shows that another attempt joins those that are out.
func (c *call) showHedge(ctx context.Context, out *hedge, now time.Time) {
	emit(ctx, vocabulary.EventHedged, func() []attribute.KeyValue {
		attributes := []attribute.KeyValue{
			attribute.Int(vocabulary.AttrNextAttempt, c.attempts+1),
			attribute.Float64(vocabulary.AttrAfter, now.Sub(out.begun).Seconds()),
		}
		if endpoint := out.this.Choice().Endpoint; endpoint != "" {
			attributes = append(attributes, attribute.String(vocabulary.AttrEndpoint, endpoint))
		}
		return attributes
	})
}

// showPushback shows what the server said. A negative number forbids another attempt.
func (c *call) showPushback(ctx context.Context, f *failure) {
	emit(ctx, vocabulary.EventPushback, func() []attribute.KeyValue {
		ms := int64(-1)
		if !f.hint.pushback.Stop {
			ms = f.hint.pushback.Wait.Milliseconds()
		}
		return []attribute.KeyValue{attribute.Int64(vocabulary.AttrMilliseconds, ms)}
	})
}

// showStop shows why there is no other attempt.
func (c *call) showStop(ctx context.Context, stop StopReason) {
	emit(ctx, stop.event(), func() []attribute.KeyValue {
		return c.withEndpoint([]attribute.KeyValue{attribute.String(vocabulary.AttrReason, string(stop))})
	})
}

// showEnd shows how the call ended.
func (c *call) showEnd(ctx context.Context, stop StopReason) {
	if stop != StopOK {
		c.showStop(ctx, stop)
	}
	c.measure(ctx)
	emit(ctx, "", func() []attribute.KeyValue {
		return []attribute.KeyValue{
			attribute.Int(vocabulary.AttrAttempts, c.attempts),
			attribute.String(vocabulary.AttrRetryOutcome, stop.outcome(c.attempts)),
			attribute.String(vocabulary.AttrStopReason, string(stop)),
			attribute.Float64(vocabulary.AttrRetryDelay, c.waited.Seconds()),
		}
	})
}

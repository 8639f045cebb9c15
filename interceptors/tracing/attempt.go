package tracing

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/internal/vocabulary"
)

// attemptOperation is one running attempt.
type attemptOperation struct {
	operation
	facts *attempt.Attempt
	call  *callContext // nil if the call does not follow its attempts
}

// UnaryAttemptInterceptor traces and measures one attempt of a call, and sends its span context. It must be inside of
// the interceptor that repeats calls.
func (t *Tracer) UnaryAttemptInterceptor(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
	invoker grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	m := t.clientMethod(cc, method, opts)
	if m.silent {
		return invoker(ctx, method, req, reply, cc, opts...)
	}
	a := t.startAttempt(ctx, m, method)
	err := error(unwound{})
	defer func() { a.finish(err) }()
	err = invoker(a.ctx, method, req, reply, cc, t.lookOut(m, cc, opts)...)
	return err
}

// startAttempt starts the span and the clock of an attempt, and returns its context. If the current span is not
// recorded, the attempt has no span.
func (t *Tracer) startAttempt(ctx context.Context, m *clientMethod, method string) attemptOperation {
	a := attemptOperation{operation: operation{ctx: ctx, results: &m.attempts}}
	if t.tracer != nil && trace.SpanFromContext(ctx).IsRecording() {
		a.ctx, a.facts = attempt.Ensure(ctx)
		if a.call = callFrom(ctx); a.call != nil {
			a.call.attempts.Add(1)
		}
		a.ctx, a.span = t.startAttemptSpan(a.ctx, m, method, a.facts)
	}
	if t.instruments != nil {
		a.time(t, t.instruments.attemptDuration)
		t.instruments.attemptStarted.Add(a.ctx, 1, m.started...)
	}
	a.ctx = t.headers.inject(a.ctx)
	return a
}

func (t *Tracer) startAttemptSpan(ctx context.Context, m *clientMethod, method string,
	facts *attempt.Attempt,
) (context.Context, trace.Span) {
	options := m.first
	if facts.Number() > 1 || facts.Hedge() {
		details := []attribute.KeyValue{attribute.Int(vocabulary.AttrPreviousAttempts, facts.Number()-1)}
		if facts.Hedge() {
			details = append(details, attribute.Bool(vocabulary.AttrHedge, true))
		}
		options = append(slices.Clip(m.attempt.options), trace.WithAttributes(details...))
	}
	ctx, span := t.tracer.Start(ctx, m.attempt.name, options...)
	if !span.IsRecording() {
		return ctx, nil
	}
	if m.unknown {
		span.SetAttributes(attribute.String(vocabulary.AttrMethodOriginal, method))
	}
	facts.OnChoice(func(c attempt.Choice) { span.SetAttributes(peerAttributes(c.Endpoint)...) })
	return ctx, span
}

// peerAttributes returns the attributes of the endpoint of an attempt.
func peerAttributes(endpoint string) []attribute.KeyValue {
	host, port := splitAddress(endpoint)
	switch {
	case host == "":
		return nil
	case port == 0:
		return []attribute.KeyValue{attribute.String(vocabulary.AttrPeerAddress, host)}
	default:
		return []attribute.KeyValue{
			attribute.String(vocabulary.AttrPeerAddress, host),
			attribute.Int(vocabulary.AttrPeerPort, port),
		}
	}
}

// finish ends the attempt. Its endpoint is known by then.
func (a *attemptOperation) finish(err error) {
	if a.span == nil {
		a.end(err)
		return
	}
	if endpoint := a.facts.Endpoint(); endpoint != a.facts.Choice().Endpoint {
		a.end(err, peerAttributes(endpoint)...)
		return
	}
	a.end(err) // the span has its endpoint since it was chosen
}

package auth

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"

	"github.com/parley-rpc/parley/internal/vocabulary"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/rpcerr"
)

const meterName = "github.com/parley-rpc/parley/interceptors/auth"

// WithMeterProvider counts refused calls in parley.server.auth.refusals, by the attributes parley.auth.reason, which is
// the public reason, and parley.auth.dry_run, which is true for calls that passed because the policy is only tried. The
// default counts nothing.
func WithMeterProvider(mp metric.MeterProvider) ServerOption {
	return serverOption{"auth.WithMeterProvider", func(c *serverConfig) { c.meters = mp }}
}

func (g *Gate) makeCounter() error {
	mp := g.config.meters
	if mp == nil {
		mp = noop.NewMeterProvider()
	}
	of := vocabulary.From(mp.Meter(meterName))
	g.refusals = of.Counter(vocabulary.MetricRefusals)
	return of.Err()
}

// noteRefusal counts a refusal and says on the span of the call why it was refused, which the status does not.
func (g *Gate) noteRefusal(ctx context.Context, err error) {
	g.count(ctx, err, false)
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetAttributes(spanAttributes(err)...)
	}
}

func (g *Gate) noteTrial(ctx context.Context, err error) {
	g.count(ctx, err, true)
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.AddEvent(vocabulary.EventWouldRefuse, trace.WithAttributes(spanAttributes(err)...))
	}
}

func (g *Gate) count(ctx context.Context, err error, dryRun bool) {
	g.refusals.Add(ctx, 1, metric.WithAttributes(
		attribute.String(vocabulary.AttrAuthReason, string(rpcerr.ReasonOf(err))), attribute.Bool(vocabulary.LabelDryRun,
			dryRun)))
}

// auditCall says which policy refused a call, where one did.
func (g *Gate) auditCall(ctx context.Context, call policy.Call, err error) {
	g.identity.counters.count(Outcome{ofCall, wire.RoleServer, string(rpcerr.ReasonOf(err))})
	g.identity.report(ctx, "parley: call refused", refusalOfCall(ctx, ofCall, call, err), userAttrs(call)...)
	g.noteRefusal(ctx, err)
}

// auditTrial reports a call that passes although a policy on trial would refuse it.
func (g *Gate) auditTrial(ctx context.Context, call policy.Call, err error) {
	g.identity.report(ctx, "parley: a policy on trial would refuse the call", refusalOfCall(ctx, ofTrial, call, err),
		userAttrs(call)...)
	g.noteTrial(ctx, err)
}

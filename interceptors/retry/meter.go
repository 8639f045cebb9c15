package retry

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const scopeName = "github.com/parley-rpc/parley/interceptors/retry"

// suppressing are the reasons for which the retrier itself withholds an attempt that might have helped.
func suppressing() [7]StopReason {
	return [...]StopReason{
		StopBudget, StopDeadline, StopPushback, StopNotIdempotent, StopUpstreamRetrying, StopCircuitOpen, StopSwitchedOff,
	}
}

// suppress counts a call that failed.
func (k *bucket) suppress(stop StopReason) {
	reasons := suppressing()
	if i := slices.Index(reasons[:], stop); i >= 0 {
		k.suppressed[i].Add(1)
	}
}

// meter lets p observe the budget until the Retrier is closed, and measures the calls of all who share it.
func (r *Retrier) meter(p metric.MeterProvider, target string) error {
	meter := p.Meter(scopeName)
	var errs [4]error
	var available metric.Float64ObservableGauge
	var spent, refused, suppressed metric.Int64ObservableCounter
	available, errs[0] = meter.Float64ObservableGauge("parley.client.retry.budget.available", metric.WithUnit("{retry}"),
		metric.WithDescription("The retries and hedges that the budget would pay for now."))
	spent, errs[1] = meter.Int64ObservableCounter("parley.client.retry.budget.spent", metric.WithUnit("{retry}"),
		metric.WithDescription("The retries and hedges that the budget has paid for."))
	refused, errs[2] = meter.Int64ObservableCounter("parley.client.retry.budget.refused", metric.WithUnit("{retry}"),
		metric.WithDescription("The retries and hedges that the budget has refused to pay for."))
	suppressed, errs[3] = meter.Int64ObservableCounter("parley.client.retry.suppressed", metric.WithUnit("{call}"),
		metric.WithDescription("The calls that failed and had no further attempt for a reason of the retrier's."))
	if err := errors.Join(errs[:]...); err != nil {
		return fmt.Errorf("retry.WithMeterProvider: the provider refuses an instrument: %w", err)
	}
	whose := attribute.String("grpc.target", target)
	calls, err := newCallMeter(meter, whose)
	if err != nil {
		return err
	}
	of := metric.WithAttributeSet(attribute.NewSet(whose))
	var reasons [len(r.budget.suppressed)]metric.ObserveOption
	for i, reason := range suppressing() {
		reasons[i] = metric.WithAttributeSet(attribute.NewSet(whose, attribute.String("reason", string(reason))))
	}
	budget := r.budget
	registration, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveFloat64(available, budget.balance(), of)
		o.ObserveInt64(spent, budget.spent.Load(), of)
		o.ObserveInt64(refused, budget.refused.Load(), of)
		for i := range reasons {
			o.ObserveInt64(suppressed, budget.suppressed[i].Load(), reasons[i])
		}
		return nil
	}, available, spent, refused, suppressed)
	if err != nil {
		return fmt.Errorf("retry.WithMeterProvider: the provider refuses to observe: %w", err)
	}
	r.unmeter = registration.Unregister
	budget.calls.Store(calls)
	return nil
}

// callMeter measures the calls that had more than one attempt, as gRFC A96 has it: a call that had none of something is not
// counted there.
type callMeter struct {
	target  attribute.KeyValue
	retries metric.Int64Histogram
	hedges  metric.Int64Histogram
	delay   metric.Float64Histogram
}

func newCallMeter(meter metric.Meter, target attribute.KeyValue) (*callMeter, error) {
	m := &callMeter{target: target}
	few := metric.WithExplicitBucketBoundaries(1, 2, 3, 4, 5)
	var errs [3]error
	m.retries, errs[0] = meter.Int64Histogram("grpc.client.call.retries", metric.WithUnit("{retry}"), few,
		metric.WithDescription("The retries of a call that had any."))
	m.hedges, errs[1] = meter.Int64Histogram("grpc.client.call.hedges", metric.WithUnit("{hedge}"), few,
		metric.WithDescription("The hedges of a call that had any."))
	m.delay, errs[2] = meter.Float64Histogram("grpc.client.call.retry_delay", metric.WithUnit("s"),
		metric.WithExplicitBucketBoundaries(waitBuckets()...),
		metric.WithDescription("The time that a call spent waiting between attempts, if it did."))
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("retry.WithMeterProvider: the provider refuses an instrument: %w", err)
	}
	return m, nil
}

// waitBuckets go from the smallest backoff that makes sense to the default deadline.
func waitBuckets() []float64 {
	return []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}
}

// measure counts the call, once it has ended.
func (c *call) measure(ctx context.Context) {
	m := c.retrier.budget.calls.Load()
	if m == nil || c.attempts < 2 || c.conn == nil {
		return
	}
	of := metric.WithAttributeSet(attribute.NewSet(attribute.String("grpc.method", c.policy.label), m.target))
	if n := c.attempts - 1 - c.hedges; n > 0 {
		m.retries.Record(ctx, int64(n), of)
	}
	if c.hedges > 0 {
		m.hedges.Record(ctx, int64(c.hedges), of)
	}
	if c.waited > 0 {
		m.delay.Record(ctx, c.waited.Seconds(), of)
	}
}

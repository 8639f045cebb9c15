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

package retry

import (
	"context"
	"fmt"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/parley-rpc/parley/internal/vocabulary"
)

const scopeName = "github.com/parley-rpc/parley/interceptors/retry"

// suppressing are the reasons for which the retrier itself withholds an attempt that might have helped.
func suppressing() (names []string) {
	for _, reason := range vocabulary.StopReasons() {
		if reason.Suppressed {
			names = append(names, reason.Name)
		}
	}
	return names
}

// suppress counts a call that failed.
func (k *bucket) suppress(stop StopReason) {
	if i := slices.Index(k.suppressing, string(stop)); i >= 0 {
		k.suppressed[i].Add(1)
	}
}

// meter lets p observe the budget until the Retrier is closed, and measures the calls of all who share it.
func (r *Retrier) meter(p metric.MeterProvider, target string) error {
	meter := p.Meter(scopeName)
	made := vocabulary.From(meter)
	available := made.ObservedLevel(vocabulary.MetricBudgetAvailable)
	spent := made.ObservedCounter(vocabulary.MetricBudgetSpent)
	refused := made.ObservedCounter(vocabulary.MetricBudgetRefused)
	suppressed := made.ObservedCounter(vocabulary.MetricSuppressed)
	whose := attribute.String(vocabulary.LabelTarget, target)
	calls := newCallMeter(made, whose)
	if err := made.Err(); err != nil {
		return fmt.Errorf("retry.WithMeterProvider: the provider refuses an instrument: %w", err)
	}
	of := metric.WithAttributeSet(attribute.NewSet(whose))
	budget := r.budget
	reasons := make([]metric.ObserveOption, len(budget.suppressing))
	for i, reason := range budget.suppressing {
		reasons[i] = metric.WithAttributeSet(attribute.NewSet(whose, attribute.String(vocabulary.AttrReason, reason)))
	}
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

// callMeter measures the calls that had more than one attempt, as gRFC A96 has it: a call that had none of something is
// not counted there.
type callMeter struct {
	target  attribute.KeyValue
	retries metric.Int64Histogram
	hedges  metric.Int64Histogram
	delay   metric.Float64Histogram
}

func newCallMeter(made *vocabulary.Instruments, target attribute.KeyValue) *callMeter {
	return &callMeter{
		target:  target,
		retries: made.Numbers(vocabulary.MetricCallRetries, 1, 2, 3, 4, 5),
		hedges:  made.Numbers(vocabulary.MetricCallHedges, 1, 2, 3, 4, 5),
		delay:   made.Seconds(vocabulary.MetricCallRetryDelay, waitBuckets()...),
	}
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
	of := metric.WithAttributeSet(attribute.NewSet(attribute.String(vocabulary.LabelMethod, c.policy.label), m.target))
	if n := c.counted() - 1 - c.hedges; n > 0 {
		m.retries.Record(ctx, int64(n), of)
	}
	if c.hedges > 0 {
		m.hedges.Record(ctx, int64(c.hedges), of)
	}
	if c.waited > 0 {
		m.delay.Record(ctx, c.waited.Seconds(), of)
	}
}

package retry

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

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

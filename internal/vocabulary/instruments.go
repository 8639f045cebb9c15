package vocabulary

import (
	"errors"

	"go.opentelemetry.io/otel/metric"
)

// Instruments makes instruments with the unit and the description that their rows have, and keeps what a meter refuses.
// It serves one goroutine.
type Instruments struct {
	meter metric.Meter
	errs  []error
}

// From returns a maker of instruments of the meter.
func From(meter metric.Meter) *Instruments { return &Instruments{meter: meter} }

// Err returns every error of the meter, joined.
func (i *Instruments) Err() error { return errors.Join(i.errs...) }

func about(name string) (unit, meaning metric.InstrumentOption) {
	m := Metric(name)
	return metric.WithUnit(m.Unit), metric.WithDescription(m.Meaning)
}

func keep[T any](i *Instruments, instrument T, err error) T {
	i.errs = append(i.errs, err)
	return instrument
}

// Counter makes the counter of that name.
func (i *Instruments) Counter(name string) metric.Int64Counter {
	unit, meaning := about(name)
	instrument, err := i.meter.Int64Counter(name, unit, meaning)
	return keep(i, instrument, err)
}

// Seconds makes the histogram of that name, of seconds.
func (i *Instruments) Seconds(name string, bounds ...float64) metric.Float64Histogram {
	unit, meaning := about(name)
	instrument, err := i.meter.Float64Histogram(name, unit, meaning, metric.WithExplicitBucketBoundaries(bounds...))
	return keep(i, instrument, err)
}

// Numbers makes the histogram of that name, of whole numbers.
func (i *Instruments) Numbers(name string, bounds ...float64) metric.Int64Histogram {
	unit, meaning := about(name)
	instrument, err := i.meter.Int64Histogram(name, unit, meaning, metric.WithExplicitBucketBoundaries(bounds...))
	return keep(i, instrument, err)
}

// ObservedCounter makes the counter of that name, which is observed.
func (i *Instruments) ObservedCounter(name string) metric.Int64ObservableCounter {
	unit, meaning := about(name)
	instrument, err := i.meter.Int64ObservableCounter(name, unit, meaning)
	return keep(i, instrument, err)
}

// ObservedSeconds makes the counter of that name, of seconds, which is observed.
func (i *Instruments) ObservedSeconds(name string) metric.Float64ObservableCounter {
	unit, meaning := about(name)
	instrument, err := i.meter.Float64ObservableCounter(name, unit, meaning)
	return keep(i, instrument, err)
}

// ObservedGauge makes the gauge of that name, of whole numbers, which is observed.
func (i *Instruments) ObservedGauge(name string) metric.Int64ObservableGauge {
	unit, meaning := about(name)
	instrument, err := i.meter.Int64ObservableGauge(name, unit, meaning)
	return keep(i, instrument, err)
}

// ObservedLevel makes the gauge of that name, of fractions, which is observed.
func (i *Instruments) ObservedLevel(name string) metric.Float64ObservableGauge {
	unit, meaning := about(name)
	instrument, err := i.meter.Float64ObservableGauge(name, unit, meaning)
	return keep(i, instrument, err)
}

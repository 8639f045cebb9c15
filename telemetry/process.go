package telemetry

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/metrics"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/parley-rpc/parley/internal/vocabulary"
)

const scopeName = "github.com/parley-rpc/parley/telemetry"

// processState is the state of the process from the operating system.
type processState struct {
	user, system time.Duration // CPU time
	resident     int64         // bytes
	threads      int64
	descriptors  int64
}

// measureProcess registers the metrics of the Go runtime and of the process. They are read when metrics are collected.
func measureProcess(provider metric.MeterProvider) error {
	meter := provider.Meter(scopeName)
	of := vocabulary.From(meter)
	started := time.Now()
	var (
		used        = of.ObservedGauge(vocabulary.MetricMemoryUsed)
		limit       = of.ObservedGauge(vocabulary.MetricMemoryLimit)
		allocated   = of.ObservedCounter(vocabulary.MetricMemoryAllocated)
		allocations = of.ObservedCounter(vocabulary.MetricAllocations)
		goal        = of.ObservedGauge(vocabulary.MetricCollectorGoal)
		collections = of.ObservedCounter(vocabulary.MetricCollections)
		goroutines  = of.ObservedGauge(vocabulary.MetricGoroutines)
		processors  = of.ObservedGauge(vocabulary.MetricProcessors)
		uptime      = of.ObservedLevel(vocabulary.MetricUptime)
		cpu         = of.ObservedSeconds(vocabulary.MetricCPUTime)
		resident    = of.ObservedGauge(vocabulary.MetricProcessMemory)
		threads     = of.ObservedGauge(vocabulary.MetricThreads)
		descriptors = of.ObservedGauge(vocabulary.MetricDescriptors)
	)
	of1 := func(key, value string) metric.MeasurementOption {
		return metric.WithAttributeSet(attribute.NewSet(attribute.String(key, value)))
	}
	stack, other := of1(vocabulary.LabelMemoryType, "stack"), of1(vocabulary.LabelMemoryType, "other")
	user, system := of1(vocabulary.LabelCPUMode, "user"), of1(vocabulary.LabelCPUMode, "system")
	_, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		r := readRuntime()
		o.ObserveInt64(used, r.stacks, stack)
		o.ObserveInt64(used, r.total-r.released-r.stacks, other)
		if r.limit != math.MaxInt64 {
			o.ObserveInt64(limit, r.limit)
		}
		o.ObserveInt64(allocated, r.allocated)
		o.ObserveInt64(allocations, r.allocations)
		o.ObserveInt64(goal, r.goal)
		o.ObserveInt64(collections, r.collections)
		o.ObserveInt64(goroutines, r.goroutines)
		o.ObserveInt64(processors, r.processors)
		o.ObserveFloat64(uptime, time.Since(started).Seconds())
		if p, err := readProcess(); err == nil { // it fails on other systems than Linux
			o.ObserveFloat64(cpu, p.user.Seconds(), user)
			o.ObserveFloat64(cpu, p.system.Seconds(), system)
			o.ObserveInt64(resident, p.resident)
			o.ObserveInt64(threads, p.threads)
			o.ObserveInt64(descriptors, p.descriptors)
		}
		return nil
	}, used, limit, allocated, allocations, goal, collections, goroutines, processors, uptime, cpu, resident, threads,
		descriptors)
	if err := errors.Join(of.Err(), err); err != nil {
		return fmt.Errorf("metrics of the process: %w", err)
	}
	return nil
}

// runtimeState is the state of the Go runtime.
type runtimeState struct {
	total, released, stacks, limit, allocated, allocations, goal, collections, goroutines, processors int64
}

func readRuntime() runtimeState {
	var r runtimeState
	places := []*int64{
		&r.total, &r.released, &r.stacks, &r.limit, &r.allocated, &r.allocations, &r.goal, &r.collections, &r.goroutines,
		&r.processors,
	}
	samples := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
		{Name: "/memory/classes/heap/stacks:bytes"},
		{Name: "/gc/gomemlimit:bytes"},
		{Name: "/gc/heap/allocs:bytes"},
		{Name: "/gc/heap/allocs:objects"},
		{Name: "/gc/heap/goal:bytes"},
		{Name: "/gc/cycles/total:gc-cycles"},
		{Name: "/sched/goroutines:goroutines"},
		{Name: "/sched/gomaxprocs:threads"},
	}
	metrics.Read(samples)
	for i, sample := range samples {
		if sample.Value.Kind() == metrics.KindUint64 {
			*places[i] = int64(min(sample.Value.Uint64(), math.MaxInt64))
		}
	}
	return r
}

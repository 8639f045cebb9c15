package tracing_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"

	ordersv1 "github.com/parley-rpc/parley/gen/shop/orders/v1"
	"github.com/parley-rpc/parley/interceptors/tracing"
)

// histograms collects what the histograms of a reader hold.
func histograms(t *testing.T, reader sdkmetric.Reader) (points []metricdata.HistogramDataPoint[float64], series int) {
	t.Helper()
	var metrics metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &metrics); err != nil {
		t.Fatal(err)
	}
	for _, m := range metrics.ScopeMetrics[0].Metrics {
		switch data := m.Data.(type) {
		case metricdata.Histogram[float64]:
			for _, p := range data.DataPoints {
				points = append(points, p)
				series += len(p.BucketCounts) + 2 // as Prometheus has them: with the sum and the count
			}
		case metricdata.Sum[int64]:
			series += len(data.DataPoints)
		default:
			t.Errorf("%s is a %T", m.Name, data)
		}
	}
	return points, series
}

// TestSeriesStayFew says that neither what callers make up nor what discovery finds becomes a label.
func TestSeriesStayFew(t *testing.T) {
	const many = 1000
	synctest.Test(t, func(t *testing.T) {
		reader := sdkmetric.NewManualReader()
		endpoints := manual.NewBuilderWithScheme("found")
		at := func(i int) resolver.State {
			return resolver.State{Endpoints: []resolver.Endpoint{
				{Addresses: []resolver.Address{{Addr: fmt.Sprintf("10.0.%d.%d:8443", i/250, i%250)}}},
			}}
		}
		endpoints.InitialState(at(0))
		r := newRig(t, setup{
			target: "found:///shop", remote: true, sampler: sdktrace.NeverSample(),
			meter: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader), sdkmetric.WithCardinalityLimit(0)),
			server: []grpc.ServerOption{grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error {
				return status.Error(codes.Unimplemented, "no such method")
			})},
			dialing: func(tracer *tracing.Tracer) []grpc.DialOption {
				return append(append(tracer.DialOptions(), tracer.AttemptDialOptions()...), grpc.WithResolvers(endpoints))
			},
		})
		for i := range many {
			endpoints.UpdateState(at(i))
			if err := get(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			err := r.cc.Invoke(t.Context(), fmt.Sprintf("/bogus.Service%d/Method%d", i%7, i), &ordersv1.GetOrderRequest{},
				&ordersv1.GetOrderResponse{})
			if status.Code(err) != codes.Unimplemented {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if _, series := histograms(t, reader); series >= 200 {
			t.Errorf("%d methods that do not exist and %d endpoints make %d series", many, many, series)
		}
	})
}

// TestExemplars says that a measurement leads to the trace of a call, and to the attempt that it is about.
func TestExemplars(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader := sdkmetric.NewManualReader()
		r := newRig(t, setup{meter: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))})
		if err := get(context.Background(), r); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		spans := map[string]bool{}
		for _, s := range r.recorder.Ended() {
			spans[s.SpanContext().TraceID().String()+s.SpanContext().SpanID().String()] = true
		}
		points, _ := histograms(t, reader)
		for _, p := range points {
			if len(p.Exemplars) != 1 {
				t.Fatalf("%v has %d exemplars, want 1", p.Attributes, len(p.Exemplars))
			}
			id := trace.TraceID(p.Exemplars[0].TraceID).String() + trace.SpanID(p.Exemplars[0].SpanID).String()
			if !spans[id] {
				t.Errorf("the exemplar of %v leads to %s; there are %v", p.Attributes, id, spans)
			}
			delete(spans, id) // each leads to a span of its own
		}
		if len(points) != 3 {
			t.Errorf("%d durations were measured, want those of the call, the attempt and the server", len(points))
		}
	})
}

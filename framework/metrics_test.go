package framework_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
)

// collect lists what the App itself measures as "name{labels} value", sorted.
func collect(t *testing.T, reader sdkmetric.Reader) []string {
	t.Helper()
	var metrics metricdata.ResourceMetrics
	if err := reader.Collect(context.WithoutCancel(t.Context()), &metrics); err != nil {
		t.Fatal(err)
	}
	var lines []string
	add := func(name string, labels attribute.Set, value any) {
		lines = append(lines, fmt.Sprintf("%s{%s} %v", name, labels.Encoded(attribute.DefaultEncoder()), value))
	}
	for _, scope := range metrics.ScopeMetrics {
		if scope.Scope.Name != "github.com/parley-rpc/parley/framework" {
			continue
		}
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Gauge[int64]:
				for _, p := range data.DataPoints {
					add(m.Name, p.Attributes, p.Value)
				}
			case metricdata.Gauge[float64]:
				for _, p := range data.DataPoints {
					add(m.Name, p.Attributes, p.Value)
				}
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					add(m.Name, p.Attributes, p.Value)
				}
			default:
			}
		}
	}
	slices.Sort(lines)
	return lines
}

func TestAnAppMeasuresItsIdentityItsDiscoveryAndItsClients(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		n.Run(replica(n, &bank{}))
		reader := sdkmetric.NewManualReader()
		orders := n.App("orders", framework.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))))
		if _, err := paymentsv1.NewPaymentsServiceClient(orders.Client("payments")).GetQuote(
			t.Context(), &paymentsv1.GetQuoteRequest{},
		); err != nil {
			t.Fatal(err)
		}
		want := []string{
			"parley.auth.connections{parley.auth.role=client} 1",
			"parley.auth.connections{parley.auth.role=server} 0",
			"parley.auth.handshakes{parley.auth.outcome=proven,parley.auth.role=client} 1",
			"parley.auth.trust.age{parley.auth.trust.of=trust directory} 0",
			"parley.auth.trust.filled{parley.auth.trust.of=trust directory} 0.0001",
			"parley.auth.trust.keys{parley.auth.trust.of=trust directory} 2",
			"parley.auth.trust.left{parley.auth.trust.of=trust directory} 3600",
			"parley.client.endpoints{grpc.target=parley:///payments,parley.endpoint.state=paused} 0",
			"parley.client.endpoints{grpc.target=parley:///payments,parley.endpoint.state=resting} 0",
			"parley.client.endpoints{grpc.target=parley:///payments,parley.endpoint.state=unready} 0",
			"parley.client.endpoints{grpc.target=parley:///payments,parley.endpoint.state=usable} 1",
			"parley.discovery.age{parley.discovery.service=payments} 0",
			"parley.discovery.instances{parley.discovery.service=payments} 1",
		}
		if got := collect(t, reader); !slices.Equal(got, want) {
			t.Errorf("measured\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if err := orders.Close(); err != nil {
			t.Fatal(err)
		}
		if left := collect(t, reader); len(left) != 0 {
			t.Errorf("after the stop there is still\n%s", strings.Join(left, "\n"))
		}
	})
}

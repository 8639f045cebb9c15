package observability_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"

	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
)

// collector is the OTLP receiver of the OpenTelemetry Collector, and its received spans and metrics.
type collector struct {
	grpc, http string // where it listens
	spans      *consumertest.TracesSink
	metrics    *consumertest.MetricsSink
}

func startCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{freeAddress(t), freeAddress(t), new(consumertest.TracesSink), new(consumertest.MetricsSink)}
	factory := otlpreceiver.NewFactory()
	config, ok := factory.CreateDefaultConfig().(*otlpreceiver.Config)
	if !ok {
		t.Fatal("the receiver has another configuration")
	}
	config.Protocols.GRPC.GetOrInsertDefault().NetAddr.Endpoint = c.grpc
	config.Protocols.HTTP.GetOrInsertDefault().ServerConfig.NetAddr.Endpoint = c.http
	settings := receivertest.NewNopSettings(factory.Type())
	traces, err := factory.CreateTraces(t.Context(), settings, config, c.spans)
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := factory.CreateMetrics(t.Context(), settings, config, c.metrics)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []receiver.Traces{traces, metrics} { // the same receiver, which starts once
		if err := r.Start(t.Context(), componenttest.NewNopHost()); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if err := errors.Join(traces.Shutdown(ctx), metrics.Shutdown(ctx)); err != nil {
			t.Error(err)
		}
	})
	return c
}

// freeAddress is an address on loopback without a listener: the receiver does not report its own.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// names lists the received data as "service: span or metric", each once.
func (c *collector) names() []string {
	var list []string
	for _, batch := range c.spans.AllTraces() {
		for _, about := range batch.ResourceSpans().All() {
			service, _ := about.Resource().Attributes().Get("service.name")
			for _, scope := range about.ScopeSpans().All() {
				for _, span := range scope.Spans().All() {
					list = append(list, service.Str()+": "+span.Kind().String()+" "+span.Name())
				}
			}
		}
	}
	for _, batch := range c.metrics.AllMetrics() {
		for _, about := range batch.ResourceMetrics().All() {
			service, _ := about.Resource().Attributes().Get("service.name")
			for _, scope := range about.ScopeMetrics().All() {
				for _, m := range scope.Metrics().All() {
					list = append(list, service.Str()+": "+m.Name())
				}
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Only OTEL_* names the collector to the App, which sends the rest when it stops.
func TestACollectorReceivesSpansAndMetrics(t *testing.T) {
	for _, test := range []struct {
		protocol string
		address  func(*collector) string
	}{
		{"grpc", func(c *collector) string { return c.grpc }},
		{"http/protobuf", func(c *collector) string { return c.http }},
	} {
		t.Run(test.protocol, func(t *testing.T) {
			c := startCollector(t)
			environ := []string{
				"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + test.address(c),
				"OTEL_EXPORTER_OTLP_PROTOCOL=" + test.protocol,
			}
			w := newTown(t)
			payments := w.app("payments", environ)
			failing := &bank{}
			failing.failing.Store(1)
			paymentsv1.RegisterPaymentsServiceServer(payments.Server("127.0.0.1:0"), failing)
			stopPayments := w.run(payments)
			orders := w.app("orders", environ)
			client := paymentsv1.NewPaymentsServiceClient(orders.Client("payments"))
			stopOrders := w.run(orders)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if _, err := client.GetQuote(ctx, &paymentsv1.GetQuoteRequest{}); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(stopOrders(), stopPayments()); err != nil {
				t.Fatal(err)
			}
			got := c.names()
			for _, want := range []string{
				"orders: Client shop.payments.v1.PaymentsService/GetQuote",
				"orders: Client Attempt shop.payments.v1.PaymentsService/GetQuote",
				"payments: Server shop.payments.v1.PaymentsService/GetQuote",
				"orders: rpc.client.call.duration", "orders: grpc.client.attempt.started", "orders: grpc.client.attempt.duration",
				"payments: rpc.server.call.duration", "payments: parley.auth.handshakes", "orders: parley.discovery.instances",
			} {
				if !slices.Contains(got, want) {
					t.Errorf("the collector did not receive %q, but\n%s", want, strings.Join(got, "\n"))
				}
			}
			if n := c.spans.SpanCount(); n != 5 {
				t.Errorf("%d spans were received, want the call, two attempts and what served them", n)
			}
		})
	}
}

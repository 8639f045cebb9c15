package framework_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"google.golang.org/grpc/codes"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
)

// What an operator sees of an instance that fails far more than the others: in the log, in the metrics, on the page.
func TestOutliersAreShown(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "clients:\n  payments: {outliers: {}}\n")
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		ill := frameworktest.NewFaults()
		replicas(n, ill, frameworktest.NewFaults(), frameworktest.NewFaults())
		reader := sdkmetric.NewManualReader()
		provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
		var log bytes.Buffer
		app := n.App("orders", framework.WithConfigFile(file), framework.WithMeterProvider(provider),
			framework.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		client := paymentsv1.NewPaymentsServiceClient(app.Client("payments"))
		settle(t, client)
		ill.Fail(getQuote, 100, codes.Unavailable)
		for range 100 {
			if err := quote(t, client); err != nil {
				t.Fatal(err)
			}
		}
		for state, want := range map[string]float64{"usable": 2, "resting": 1, "paused": 0, "unready": 0} {
			labels := attribute.NewSet(
				attribute.String("grpc.target", "parley:///payments"),
				attribute.String("parley.endpoint.state", state),
			)
			if got := measured(t, reader, "parley.client.endpoints", labels); got != want {
				t.Errorf("%v endpoints are measured as %s, want %v", got, state, want)
			}
		}
		if text := log.String(); strings.Count(text, "an outlier rests") != 1 || !strings.Contains(text, "client=payments") {
			t.Errorf("the log says\n%s", text)
		}
		if page := app.ClientRows(); len(page) != 1 || page[0].Cells[3] != "2 usable, 1 resting" {
			t.Errorf("the page shows %v, want 2 usable and 1 resting", page)
		}
		if err := provider.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A client that is given a DNS name finds its endpoints without discovery. All clients of a target are added up.
func TestEndpointsOfADNSTargetAreMeasured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		server := n.App("payments")
		s := n.Server(server)
		paymentsv1.RegisterPaymentsServiceServer(s, &bank{})
		n.Run(server)
		reader := sdkmetric.NewManualReader()
		provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
		app := n.App(
			"orders",
			framework.WithMeterProvider(provider),
			framework.WithDialer(func(ctx context.Context, _ string) (net.Conn, error) {
				return n.Dial(ctx, s.Addr().String())
			}),
		)
		for range 2 {
			client := paymentsv1.NewPaymentsServiceClient(app.Client("payments", framework.WithTarget("192.0.2.1:8443")))
			if err := quote(t, client); err != nil {
				t.Fatal(err)
			}
		}
		labels := attribute.NewSet(
			attribute.String("grpc.target", "192.0.2.1:8443"),
			attribute.String("parley.endpoint.state", "usable"),
		)
		if got := measured(t, reader, "parley.client.endpoints", labels); got != 2 {
			t.Errorf("%v endpoints are measured as usable, want one of each client", got)
		}
		if err := provider.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

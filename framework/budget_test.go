package framework_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/grpcresolver"
	"github.com/parley-rpc/parley/discovery/mem"
	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/retry"
)

// outage is a payments service that is out.
type outage struct {
	paymentsv1.UnimplementedPaymentsServiceServer
	calls atomic.Int64
}

func (o *outage) GetQuote(context.Context, *paymentsv1.GetQuoteRequest) (*paymentsv1.GetQuoteResponse, error) {
	o.calls.Add(1)
	return nil, status.Error(codes.Unavailable, "scripted")
}

// watchedResolver counts what a resolver tells its channel.
type watchedResolver struct {
	resolver.Builder
	updates atomic.Int64
}

type watchedChannel struct {
	resolver.ClientConn
	updates *atomic.Int64
}

func (w *watchedResolver) Build(
	target resolver.Target,
	cc resolver.ClientConn,
	opts resolver.BuildOptions,
) (resolver.Resolver, error) {
	return w.Builder.Build(target, watchedChannel{cc, &w.updates}, opts)
}

func (w watchedChannel) UpdateState(s resolver.State) error {
	w.updates.Add(1)
	return w.ClientConn.UpdateState(s)
}

// An engine publishes the same address again before each of 50 calls. The budget of 10 stays one of 10.
func TestScenario26RepublishedAddressesDoNotRefillTheBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		listener := bufconn.Listen(1 << 16)
		server, out := grpc.NewServer(), new(outage)
		paymentsv1.RegisterPaymentsServiceServer(server, out)
		var serving sync.WaitGroup
		serving.Go(func() { _ = server.Serve(listener) }) // Stop makes it return
		defer serving.Wait()
		defer server.Stop()

		engine := mem.New()
		registrar := engine.Driver()
		instance := driver.Instance{ID: "1", Service: "payments", Addresses: []string{"payments-1:443"}}
		lease, err := registrar.Announce(t.Context(), instance, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		registry := discovery.New(engine.Driver())
		defer registry.Close()
		watched := &watchedResolver{Builder: grpcresolver.Builder(registry, "parley")}
		retrier := retry.New(retry.WithBudget(retry.Budget{Ratio: 0.1, Max: 10}))
		defer retrier.Close()
		cc, err := grpc.NewClient("parley:///payments", append(
			retrier.DialOptions(),
			grpc.WithResolvers(watched),
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(
				func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) },
			),
		)...)
		if err != nil {
			t.Fatal(err)
		}
		defer cc.Close()
		client := paymentsv1.NewPaymentsServiceClient(cc)
		if err := quote(t, client); status.Code(err) != codes.Unavailable {
			t.Fatal(err)
		}
		out.calls.Store(0)
		spentBefore, _ := retrier.BudgetUse()
		for i := range 50 {
			instance.Metadata = map[string]string{"published": fmt.Sprint(i)}
			if err := lease.Update(t.Context(), instance); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second) // until the engine's word has settled
			if err := quote(t, client); status.Code(err) != codes.Unavailable {
				t.Fatal(err)
			}
		}
		if n := watched.updates.Load(); n < 50 {
			t.Fatalf("the channel had %d updates, want one before each call", n)
		}
		left := 10 - spentBefore
		if got := out.calls.Load(); got != 50+left {
			t.Errorf("%d attempts of 50 calls, want %d: the budget paid for %d more", got, 50+left, left)
		}
		if err := registrar.Close(); err != nil {
			t.Error(err)
		}
	})
}

// What an operator sees of the budgets: on the page, and in the metrics.
func TestBudgetsAreShown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		out := frameworktest.NewFaults()
		replicas(n, out)
		reader := sdkmetric.NewManualReader()
		provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
		app := n.App("orders", framework.WithMeterProvider(provider))
		client := paymentsv1.NewPaymentsServiceClient(app.Client("payments"))
		another := paymentsv1.NewPaymentsServiceClient(app.Client("payments"))
		settle(t, client)
		out.Fail(getQuote, 100, codes.Unavailable)
		for range 4 { // each client has the same budget: 3 + 3 + 3 + 1 retries
			for _, client := range []paymentsv1.PaymentsServiceClient{client, another} {
				if err := quote(t, client); status.Code(err) != codes.Unavailable {
					t.Fatal(err)
				}
			}
		}
		target := attribute.String("grpc.target", "parley:///payments")
		spent := measured(t, reader, "parley.client.retry.budget.spent", attribute.NewSet(target))
		refused := measured(t, reader, "parley.client.retry.budget.refused", attribute.NewSet(target))
		available := measured(t, reader, "parley.client.retry.budget.available", attribute.NewSet(target))
		suppressed := measured(
			t,
			reader,
			"parley.client.retry.suppressed",
			attribute.NewSet(target, attribute.String("reason", "budget")),
		)
		if spent != 10 || refused != 5 || suppressed != 5 || available < 0 || available >= 1 {
			t.Errorf(
				"spent %v, refused %v, suppressed %v, available %v; want 10, 5, 5 and less than one",
				spent,
				refused,
				suppressed,
				available,
			)
		}
		page := app.BudgetRows()
		if len(page) != 1 || strings.Join(page[0].Cells[2:], " ") != "10 5" || page[0].Cells[0] != "parley:///payments" {
			t.Errorf("the page shows %v, want one target with 10 spent and 5 refused", page)
		}
		if err := provider.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A call that was retried is measured once, with how often and how long it waited; one that was not is not (gRFC A96).
func TestRetriedCallsAreMeasured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		out := frameworktest.NewFaults()
		replicas(n, out)
		reader := sdkmetric.NewManualReader()
		provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
		client := paymentsv1.NewPaymentsServiceClient(
			n.App("orders", framework.WithMeterProvider(provider)).Client("payments"),
		)
		settle(t, client)
		out.Fail(getQuote, 2, codes.Unavailable)
		started := time.Now()
		if err := quote(t, client); err != nil {
			t.Fatal(err)
		}
		waited := time.Since(started).Seconds()

		of := attribute.NewSet(
			attribute.String("grpc.method", strings.TrimPrefix(getQuote, "/")),
			attribute.String("grpc.target", "parley:///payments"),
		)
		if got := histogram[int64](t, reader, "grpc.client.call.retries", of); got.Count != 1 || got.Sum != 2 {
			t.Errorf("%d calls with %d retries, want one with two", got.Count, got.Sum)
		}
		if got := histogram[float64](t, reader, "grpc.client.call.retry_delay", of); got.Count != 1 || got.Sum != waited {
			t.Errorf("%d calls waited %v s, want one that waited %v s", got.Count, got.Sum, waited)
		}
		if err := provider.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// histogram is what an instrument has recorded for a set of attributes, and nothing else.
func histogram[N int64 | float64](
	t *testing.T,
	reader *sdkmetric.ManualReader,
	name string,
	of attribute.Set,
) metricdata.HistogramDataPoint[N] {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			data, ok := m.Data.(metricdata.Histogram[N])
			if !ok || m.Name != name {
				continue
			}
			if len(data.DataPoints) != 1 || !data.DataPoints[0].Attributes.Equals(&of) {
				t.Fatalf("%s has the series %v, want one of %v", name, data.DataPoints, of.ToSlice())
			}
			return data.DataPoints[0]
		}
	}
	t.Fatalf("nothing measures %s", name)
	return metricdata.HistogramDataPoint[N]{}
}

// measured is the value of an instrument for a set of attributes.
func measured(t *testing.T, reader *sdkmetric.ManualReader, name string, of attribute.Set) float64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != name {
				continue
			}
			switch data := m.Data.(type) {
			case metricdata.Gauge[float64]:
				for _, p := range data.DataPoints {
					if p.Attributes.Equals(&of) {
						return p.Value
					}
				}
			case metricdata.Gauge[int64]:
				for _, p := range data.DataPoints {
					if p.Attributes.Equals(&of) {
						return float64(p.Value)
					}
				}
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					if p.Attributes.Equals(&of) {
						return float64(p.Value)
					}
				}
			}
		}
	}
	t.Fatalf("nothing measures %s of %v", name, of)
	return 0
}

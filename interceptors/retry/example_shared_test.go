package retry_test

import (
	"context"
	"fmt"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/policy"
)

// One switch turns the retries of a whole program off.
func ExampleWithSwitch() {
	var retries retry.Switch
	payments, orders := retry.New(retry.WithSwitch(&retries)), retry.New(retry.WithSwitch(&retries))
	retries.Set(false)
	fmt.Println(payments.Retries(), orders.Retries())
	// Output: false false
}

// Two channels to one service share its budget: what the retries of one cost, the other cannot spend.
func ExampleWithBudgetOf() {
	reading := retry.New(retry.WithBudget(retry.Budget{Ratio: 0.1, Max: 10}))
	writing := retry.New(retry.WithBudgetOf(reading))
	flaky, err := reading.Operation("flaky", retry.OperationPolicy{Idempotency: policy.Idempotent, MaxAttempts: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, _ = retry.Do(context.Background(), flaky, func(context.Context) (int, error) { return 0, status.Error(codes.Unavailable, "broken") })
	fmt.Println(reading.BudgetMax(), writing.BudgetBalance())
	// Output: 10 9
}

// The budget of a service is measured with the instruments of a meter provider.
func ExampleWithMeterProvider() {
	reader := sdkmetric.NewManualReader()
	payments := retry.New(retry.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)), "dns:///payments"))
	defer func() { _ = payments.Close() }()
	var measured metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &measured); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(measured.ScopeMetrics[0].Metrics[0].Name)
	// Output: parley.client.retry.budget.available
}

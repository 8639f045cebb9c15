package waterfall_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/parley-rpc/parley/waterfall"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

func ExampleText() {
	start := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	err := waterfall.Text(os.Stdout, waterfall.Call{
		Method: "shop.payments.v1.PaymentsService/GetQuote", Start: start, Status: "OK", Outcome: "recovered",
		Duration: 105 * time.Millisecond, Deadline: 2 * time.Second, AttemptCount: 2,
		Attempts: []waterfall.Attempt{
			{Number: 1, Endpoint: "10.0.0.1:8443", Status: "UNAVAILABLE", Duration: 10 * time.Millisecond},
			{Number: 2, Endpoint: "10.0.0.2:8443", Status: "OK", Offset: 58 * time.Millisecond, Duration: 47 * time.Millisecond},
		},
		Waits: []waterfall.Wait{{Next: 2, Offset: 10 * time.Millisecond, Duration: 48 * time.Millisecond}},
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// shop.payments.v1.PaymentsService/GetQuote                     OK  recovered  105ms of 2s  2 attempts
	//   1  10.0.0.1:8443  UNAVAILABLE  ██████                                                         10ms
	//      wait                             ····························                              48ms
	//   2  10.0.0.2:8443  OK                                           ██████████████████████████     47ms
}

// The waterfall of a test that failed belongs into its log.
func ExampleLogOnFailure() {
	_ = func(t *testing.T) {
		ring := waterfall.NewRing(100)
		waterfall.LogOnFailure(t, ring)
		provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(ring))
		_ = provider // hand it to the clients and servers under test
	}
	// Output:
}

// Watch follows the calls of a process as they happen.
func ExampleRing_Watch() {
	ring := waterfall.NewRing(100)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	go func() { _ = ring.Shutdown(ctx) }()
	for calls := range ring.Watch(ctx) {
		for _, call := range calls {
			fmt.Println(call.Method, call.Status)
		}
	}
	// Output:
}

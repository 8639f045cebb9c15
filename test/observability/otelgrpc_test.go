package observability_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc"

	"github.com/parley-rpc/parley/framework"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
)

// lockedBuffer is a log that many goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Who leaves otelgrpc in place next to Parley is told so, and still has one trace.
func TestOtelgrpcBesideParley(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	spans, carried := otelgrpc.WithTracerProvider(provider), otelgrpc.WithPropagators(propagation.TraceContext{})
	var log lockedBuffer
	options := []framework.Option{
		framework.WithTracerProvider(provider),
		framework.WithLogger(slog.New(slog.NewTextHandler(&log, nil))),
	}
	w := newTown(t)
	payments := w.app("payments", nil, append(options,
		framework.WithServerOptions(grpc.StatsHandler(otelgrpc.NewServerHandler(spans, carried))))...)
	paymentsv1.RegisterPaymentsServiceServer(payments.Server("127.0.0.1:0"), &bank{})
	stopPayments := w.run(payments)
	orders := w.app("orders", nil, append(options,
		framework.WithDialOptions(grpc.WithStatsHandler(otelgrpc.NewClientHandler(spans, carried))))...)
	client := paymentsv1.NewPaymentsServiceClient(orders.Client("payments"))
	stopOrders := w.run(orders)
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if _, err := client.GetQuote(ctx, &paymentsv1.GetQuoteRequest{}); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	for _, stop := range []func() error{stopOrders, stopPayments} {
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
	for _, says := range []string{"each attempt has two CLIENT spans", "its spans stand for the calls that are received"} {
		if n := strings.Count(log.String(), says); n != 1 {
			t.Errorf("%q is said %d times, want once:\n%s", says, n, log.String())
		}
	}
	traces := map[string]int{}
	for _, s := range recorder.Ended() {
		if strings.HasSuffix(s.Name(), "/GetQuote") {
			traces[s.SpanContext().TraceID().String()]++
		}
	}
	if len(traces) != 3 {
		t.Errorf("three calls are %d traces", len(traces))
	}
	for id, n := range traces {
		if n != 4 {
			t.Errorf("trace %s has %d spans, want the call, its attempt, and those of otelgrpc on both sides", id, n)
		}
	}
	if started, ended := len(recorder.Started()), len(recorder.Ended()); started != ended {
		t.Errorf("%d spans started, %d ended", started, ended)
	}
}

package framework_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/retry"
)

// Three attempts are one call span with three attempt spans below it; each attempt carries its own span to the server.
func TestScenario38ASpanForEachAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		faults := frameworktest.NewFaults()
		var mu sync.Mutex
		var parents []string
		see := framework.WithHandlerInterceptors(
			func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
				mu.Lock()
				parents = append(parents, metadata.ValueFromIncomingContext(ctx, "traceparent")...)
				mu.Unlock()
				return handler(ctx, req)
			},
			func(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
				return handler(srv, ss)
			})
		paymentsv1.RegisterPaymentsServiceServer(n.Server(n.App("payments"), see, faults.Option()), &bank{})
		n.Start()
		spans := tracetest.NewSpanRecorder()
		provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
		client := paymentsv1.NewPaymentsServiceClient(
			n.App("orders", framework.WithTracerProvider(provider)).Client("payments"),
		)
		settle(t, client)
		spans.Reset()
		parents = nil
		faults.Fail(getQuote, 2, codes.Unavailable)
		if err := quote(t, client); err != nil {
			t.Fatal(err)
		}
		ended := spans.Ended()
		if len(ended) != 4 {
			t.Fatalf("%d spans, want one of the call and three of attempts", len(ended))
		}
		call := ended[3]
		for i, span := range ended[:3] {
			if span.SpanKind() != trace.SpanKindClient || span.Parent().SpanID() != call.SpanContext().SpanID() {
				t.Errorf("the span %q does not stand below the call", span.Name())
			}
			if got := attributeOf(span, "previous-rpc-attempts").AsInt64(); got != int64(i) {
				t.Errorf("attempt %d says that %d came before it", i+1, got)
			}
			if want := span.SpanContext().SpanID().String(); !strings.Contains(parents[i], want) {
				t.Errorf("attempt %d sent the traceparent %s, want its span %s", i+1, parents[i], want)
			}
		}
		var waits int
		for _, event := range call.Events() {
			if event.Name == "retry.scheduled" {
				waits++
			}
		}
		if waits != 2 || attributeOf(call, "parley.attempts").AsInt64() != 3 ||
			attributeOf(call, "parley.retry.stop_reason").AsString() != "ok" {
			t.Errorf("the call has %d waits and the attributes %v", waits, call.Attributes())
		}
		if err := provider.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func attributeOf(span sdktrace.ReadOnlySpan, key attribute.Key) attribute.Value {
	for _, kv := range span.Attributes() {
		if kv.Key == key {
			return kv.Value
		}
	}
	return attribute.Value{}
}

// Retry and drain: while one of two replicas stops, calls that it refuses or drops succeed on the other one.
func TestRetryWithADrain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		first, second := replica(n, &bank{}), replica(n, &bank{})
		stop := n.Run(first)
		n.Run(second)
		client := paymentsv1.NewPaymentsServiceClient(n.App("orders").Client("payments"))
		settle(t, client)
		stopped := make(chan error, 1)
		go func() { stopped <- stop() }()
		for range 600 {
			if err := quote(t, client); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

// Retry and the end of the client's App: a wait between attempts ends at once, with the status that the server sent.
func TestRetryWhenTheAppCloses(t *testing.T) {
	t.Parallel()
	slow := framework.WithPolicy(map[string]*policyv1.Policy{
		getQuote: {
			Retry:    &policyv1.Retry{InitialBackoff: durationpb.New(time.Second), MaxBackoff: durationpb.New(time.Second)},
			Deadline: &policyv1.Deadline{Max: durationpb.New(2 * time.Second)},
		},
	})
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		faults := frameworktest.NewFaults()
		replicas(n, faults)
		orders := n.App("orders", slow, framework.WithRetry(retry.WithRandom(func() float64 { return 0.999 })))
		client := paymentsv1.NewPaymentsServiceClient(orders.Client("payments"))
		settle(t, client)
		faults.Fail(getQuote, 10, codes.Unavailable)
		started, ended := time.Now(), make(chan error, 1)
		go func() { ended <- quote(t, client) }()
		time.Sleep(100 * time.Millisecond)
		if err := orders.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; status.Code(err) != codes.Unavailable ||
			!strings.Contains(err.Error(), string(retry.StopClosing)) {
			t.Errorf("GetQuote = %v, want UNAVAILABLE because of closing", err)
		}
		if took := time.Since(started); took != 100*time.Millisecond {
			t.Errorf("took %v, want 100ms", took)
		}
	})
}

// Retry and breaker: an open circuit stops retries, and lets first attempts go.
func TestRetryWithABreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		faults := frameworktest.NewFaults()
		replicas(n, faults)
		tripping := framework.WithRetry(
			retry.WithBreaker(retry.Breaker{FailureRatio: 0.5, MinAttempts: 10, Window: 10 * time.Second}),
		)
		client := paymentsv1.NewPaymentsServiceClient(n.App("orders", tripping).Client("payments"))
		settle(t, client)
		faults.Fail(getQuote, 100, codes.Unavailable)
		before := faults.Calls(getQuote)
		for range 10 {
			if err := quote(t, client); status.Code(err) != codes.Unavailable {
				t.Fatal(err)
			}
		}
		// The window holds 3 successes. With the third attempt of the second call it holds 10 attempts and opens.
		if got := faults.Calls(getQuote) - before; got != 4+3+8 {
			t.Errorf("%d attempts of 10 calls, want 4, 3, and one of each other", got)
		}
	})
}

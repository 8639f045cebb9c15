package tracing_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	ordersv1 "github.com/parley-rpc/parley/gen/shop/orders/v1"
	"github.com/parley-rpc/parley/interceptors/tracing"
)

const (
	foreignParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	foreignTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	foreignSpan   = "00f067aa0ba902b7"
)

// traceparent is the header that identifies sc, as OpenTelemetry writes it.
func traceparent(sc trace.SpanContext) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(trace.ContextWithSpanContext(context.Background(), sc), carrier)
	return carrier["traceparent"]
}

// TestTraceparent says that a server receives exactly one traceparent with each attempt: that of the attempt.
func TestTraceparent(t *testing.T) {
	stale := func(ctx context.Context) context.Context {
		return metadata.AppendToOutgoingContext(ctx, "traceparent", foreignParent, "tracestate", "other=1", "tenant", "a")
	}
	for _, test := range []struct {
		name string
		ctx  func(context.Context) context.Context
		opts []tracing.Option
	}{
		{name: "no metadata"},
		{name: "metadata of the caller's own", ctx: func(ctx context.Context) context.Context {
			return metadata.AppendToOutgoingContext(ctx, "tenant", "a")
		}},
		{name: "metadata forwarded with all the rest", ctx: stale},
		{name: "metadata forwarded in another case", ctx: func(ctx context.Context) context.Context {
			return metadata.NewOutgoingContext(ctx, metadata.MD{"Traceparent": {foreignParent}, "TraceState": {"other=1"}})
		}},
		{
			name: "any other propagator", ctx: stale,
			opts: []tracing.Option{tracing.WithPropagator(foreign{propagation.TraceContext{}})},
		},
	} {
		bubble(t, test.name, func(t *testing.T) {
			r := newRig(t, setup{calls: []grpc.UnaryClientInterceptor{hedge}, tracer: test.opts})
			ctx := t.Context()
			if test.ctx != nil {
				ctx = test.ctx(ctx)
			}
			before, _ := metadata.FromOutgoingContext(ctx)
			if _, err := r.orders.GetOrder(ctx, &ordersv1.GetOrderRequest{}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			var want [][]string
			for _, s := range r.recorder.Started() {
				if s.Name() == "Attempt "+ordersService+"GetOrder" {
					want = append(want, []string{traceparent(s.SpanContext())})
				}
			}
			got := r.shop.headers("traceparent")
			if len(want) != 2 || !slices.EqualFunc(got, want, slices.Equal[[]string]) {
				t.Errorf("received %v, want %v", got, want)
			}
			for _, states := range r.shop.headers("tracestate") {
				if len(states) > 0 {
					t.Errorf("the tracestate of another trace was sent: %v", states)
				}
			}
			if after, _ := metadata.FromOutgoingContext(ctx); len(after) != len(before) {
				t.Errorf("the caller's metadata was changed: %v", after)
			}
			if tenants := r.shop.headers("tenant"); before["tenant"] != nil && !slices.Equal(tenants[0], []string{"a"}) {
				t.Errorf("the caller's metadata was lost: %v", tenants)
			}
		})
	}
}

// foreign is a propagator of which nothing is known.
type foreign struct{ propagation.TextMapPropagator }

// TestUnrecordedCall says that a call whose span is not recorded has no attempt spans, and that each of its attempts
// carries the call's own span context: not sampled, and the trace of its parent.
func TestUnrecordedCall(t *testing.T) {
	parent := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	for _, test := range []struct {
		name string
		ctx  func(context.Context) context.Context
	}{
		{"root", func(ctx context.Context) context.Context { return ctx }},
		{"child", func(ctx context.Context) context.Context { return trace.ContextWithSpanContext(ctx, parent) }},
	} {
		bubble(t, test.name, func(t *testing.T) {
			var seen trace.SpanContext
			watch := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker,
				opts ...grpc.CallOption,
			) error {
				seen = trace.SpanContextFromContext(ctx)
				return again(1)(ctx, method, req, reply, cc, invoker, opts...)
			}
			var handled trace.SpanContext
			s := &shop{get: func(ctx context.Context) error {
				handled = trace.SpanContextFromContext(ctx)
				return nil
			}}
			r := newRig(t, setup{
				shop: s, sampler: sdktrace.ParentBased(sdktrace.NeverSample()),
				calls: []grpc.UnaryClientInterceptor{watch},
			})
			ctx := test.ctx(t.Context())
			if _, err := r.orders.GetOrder(ctx, &ordersv1.GetOrderRequest{}); err != nil {
				t.Fatal(err)
			}
			r.wantTree("")
			if !seen.IsValid() || seen.IsSampled() {
				t.Errorf("the call is %v", seen)
			}
			if id := trace.SpanContextFromContext(ctx).TraceID(); id.IsValid() && id != seen.TraceID() {
				t.Errorf("the call left the trace of its parent: %v", seen.TraceID())
			}
			if got := r.shop.headers("traceparent"); len(got) != 1 || !slices.Equal(got[0], []string{traceparent(seen)}) {
				t.Errorf("received %v, want the call's %s", got, traceparent(seen))
			}
			if handled.TraceID() != seen.TraceID() || handled.SpanID() == seen.SpanID() || handled.IsRemote() {
				t.Errorf("the handler is in %v, want a child of %v", handled, seen)
			}
		})
	}
}

// TestWithoutSpans says that a Tracer that makes no spans passes on the span context that it finds.
func TestWithoutSpans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var handled trace.SpanContext
		s := &shop{get: func(ctx context.Context) error {
			handled = trace.SpanContextFromContext(ctx)
			return nil
		}}
		r := newRig(t, setup{shop: s, tracer: []tracing.Option{tracing.WithTracerProvider(nil)}})
		if _, err := r.orders.GetOrder(t.Context(), &ordersv1.GetOrderRequest{}); err != nil {
			t.Fatal(err)
		}
		if handled.IsValid() || r.shop.headers("traceparent")[0] != nil {
			t.Errorf("a span context out of nothing: %v", handled)
		}
		want := trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2},
			TraceFlags: 1, Remote: true,
		})
		ctx := trace.ContextWithSpanContext(t.Context(), want)
		if _, err := r.orders.GetOrder(ctx, &ordersv1.GetOrderRequest{}); err != nil {
			t.Fatal(err)
		}
		if !handled.Equal(want) {
			t.Errorf("the handler is in %v, want %v", handled, want)
		}
	})
}

// TestBaggage says what becomes of baggage under each propagator.
func TestBaggage(t *testing.T) {
	w3c := propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})
	for _, test := range []struct {
		name   string
		opts   []tracing.Option
		want   string
		linked bool
	}{
		{name: "by default", want: "tenant=a"},
		{name: "trace context", opts: []tracing.Option{tracing.WithPropagator(propagation.TraceContext{})}},
		{name: "trace context and baggage", opts: []tracing.Option{tracing.WithPropagator(w3c)}, want: "tenant=a"},
		{name: "any other", opts: []tracing.Option{tracing.WithPropagator(foreign{w3c})}, want: "tenant=a"},
		{
			name: "public endpoint", opts: []tracing.Option{tracing.WithPropagator(w3c), tracing.WithPublicEndpoint()},
			linked: true,
		},
		{name: "public endpoint, any other", opts: []tracing.Option{
			tracing.WithPropagator(foreign{w3c}),
			tracing.WithPublicEndpoint(),
		}, linked: true},
	} {
		bubble(t, test.name, func(t *testing.T) {
			var got string
			s := &shop{get: func(ctx context.Context) error {
				got = baggage.FromContext(ctx).String()
				return nil
			}}
			r := newRig(t, setup{shop: s, tracer: test.opts})
			bag, err := baggage.Parse("tenant=a")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.orders.GetOrder(baggage.ContextWithBaggage(t.Context(), bag),
				&ordersv1.GetOrderRequest{}); err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("the handler has baggage %q, want %q", got, test.want)
			}
			attempt := r.span(trace.SpanKindClient, "Attempt "+ordersService+"GetOrder").SpanContext()
			server := r.span(trace.SpanKindServer, ordersService+"GetOrder")
			links := server.Links()
			switch {
			case !test.linked && (len(links) != 0 || server.Parent().SpanID() != attempt.SpanID()):
				t.Errorf("the server's span is not below its attempt")
			case test.linked && (len(links) != 1 || links[0].SpanContext.SpanID() != attempt.SpanID()):
				t.Errorf("links %v, want one to the attempt %v", links, attempt.SpanID())
			case test.linked && (server.Parent().IsValid() || server.SpanContext().TraceID() == attempt.TraceID()):
				t.Errorf("a public endpoint went on with its caller's trace")
			}
		})
	}
}

// TestServerReadsTraceparent says which headers of a caller are believed.
func TestServerReadsTraceparent(t *testing.T) {
	none := propagation.NewCompositeTextMapPropagator()
	for _, test := range []struct {
		name     string
		md       metadata.MD
		opts     []tracing.Option
		parent   string
		state    string
		previous int64
	}{
		{name: "good", md: metadata.Pairs("traceparent", foreignParent), parent: foreignSpan},
		{name: "good with state", md: metadata.Pairs("traceparent", foreignParent, "tracestate", "a=1", "tracestate",
			"b=2"), parent: foreignSpan, state: "a=1,b=2"},
		{
			name: "good with bad state", md: metadata.Pairs("traceparent", foreignParent, "tracestate", "=,="),
			parent: foreignSpan,
		},
		{name: "two", md: metadata.Pairs("traceparent", foreignParent, "traceparent", foreignParent)},
		{name: "none", md: metadata.Pairs("tracestate", "a=1")},
		{name: "bad", md: metadata.Pairs("traceparent", "00-0-0-0")},
		{
			name: "not wanted", md: metadata.Pairs("traceparent", foreignParent),
			opts: []tracing.Option{tracing.WithPropagator(none)},
		},
		{name: "another attempt", md: metadata.Pairs("grpc-previous-rpc-attempts", "2"), previous: 2},
		{name: "not a number of attempts", md: metadata.Pairs("grpc-previous-rpc-attempts", "many")},
	} {
		bubble(t, test.name, func(t *testing.T) {
			plain := func(*tracing.Tracer) []grpc.DialOption { return nil }
			r := newRig(t, setup{tracer: test.opts, dialing: plain})
			if _, err := r.orders.GetOrder(metadata.NewOutgoingContext(t.Context(), test.md),
				&ordersv1.GetOrderRequest{}); err != nil {
				t.Fatal(err)
			}
			server := r.span(trace.SpanKindServer, ordersService+"GetOrder")
			parent := server.Parent()
			if test.parent == "" {
				if parent.IsValid() {
					t.Errorf("parent %v, want none", parent)
				}
			} else if parent.SpanID().String() != test.parent || parent.TraceID().String() != foreignTrace ||
				!parent.IsRemote() {
				t.Errorf("parent %v, want %s", parent, test.parent)
			}
			if got := server.SpanContext().TraceState().String(); got != test.state {
				t.Errorf("state %q, want %q", got, test.state)
			}
			var previous int64
			for _, a := range server.Attributes() {
				if a.Key == "previous-rpc-attempts" {
					previous = a.Value.AsInt64()
				}
			}
			if previous != test.previous {
				t.Errorf("previous-rpc-attempts=%d, want %d", previous, test.previous)
			}
		})
	}
}

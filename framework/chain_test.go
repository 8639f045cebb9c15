package framework_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/principal"
)

// diary notes who ran when.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

func (d *diary) client(name string) (grpc.UnaryClientInterceptor, grpc.StreamClientInterceptor) {
	see := func(ctx context.Context) {
		line := name
		if trace.SpanFromContext(ctx).SpanContext().IsValid() {
			line += " in a span"
		}
		if attempt.FromContext(ctx) != nil {
			line += " in an attempt"
		}
		if _, ok := ctx.Deadline(); ok {
			line += " with a deadline"
		}
		d.note(line)
	}
	return func(
			ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker,
			opts ...grpc.CallOption,
		) error {
			see(ctx)
			return invoker(ctx, method, req, reply, cc, opts...)
		}, func(
			ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer,
			opts ...grpc.CallOption,
		) (grpc.ClientStream, error) {
			see(ctx)
			return streamer(ctx, desc, cc, method, opts...)
		}
}

func (d *diary) server(name string) (grpc.UnaryServerInterceptor, grpc.StreamServerInterceptor) {
	see := func(ctx context.Context) {
		line := name
		if trace.SpanFromContext(ctx).SpanContext().IsValid() {
			line += " in a span"
		}
		if peer, ok := principal.PeerFromContext(ctx); ok {
			line += " for " + peer.ID.Service()
		}
		if _, ok := ctx.Deadline(); ok {
			line += " with a deadline"
		}
		d.note(line)
	}
	return func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			see(ctx)
			return handler(ctx, req)
		}, func(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
			see(ss.Context())
			return handler(srv, ss)
		}
}

func TestTheChainRunsInTheOrderThatDescribePrints(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		d := &diary{}
		faults := frameworktest.NewFaults().Fail(getQuote, 1, codes.Unavailable)
		payments := n.App("payments")
		paymentsv1.RegisterPaymentsServiceServer(
			n.Server(payments, framework.WithHandlerInterceptors(d.server("Handler")), faults.Option()),
			&bank{watch: func(context.Context) error { return nil }},
		)
		n.Run(payments)
		orders := n.App(
			"orders",
			framework.WithCallInterceptors(d.client("Call")),
			framework.WithAttemptInterceptors(d.client("Attempt")),
		)
		calls := paymentsv1.NewPaymentsServiceClient(orders.Client("payments"))

		if _, err := calls.GetQuote(t.Context(), &paymentsv1.GetQuoteRequest{}); err != nil {
			t.Fatal(err)
		}
		want := []string{
			"Call in a span",
			"Attempt in a span in an attempt with a deadline",
			"Handler in a span for orders with a deadline",
			"Attempt in a span in an attempt with a deadline",
			"Handler in a span for orders with a deadline",
		}
		if !slices.Equal(d.lines, want) {
			t.Errorf("unary:\n%s", strings.Join(d.lines, "\n"))
		}

		d.lines = nil
		stream, err := calls.WatchCharge(t.Context(), &paymentsv1.WatchChargeRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = stream.Recv()
		}
		want = []string{
			"Call in a span",
			"Attempt in a span in an attempt with a deadline",
			"Handler in a span for orders with a deadline",
		}
		if !slices.Equal(d.lines, want) {
			t.Errorf("stream:\n%s", strings.Join(d.lines, "\n"))
		}

		var text strings.Builder
		if err := payments.Describe(&text); err != nil {
			t.Fatal(err)
		}
		if err := orders.Describe(&text); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			"span > recovery > authenticate, authorize > deadline, hop guard > chain guard > [Handler] > handler",
			"call span > [Call] > deadline, retry > attempt span > [Attempt] > auth > wire",
		} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("Describe does not show %q:\n%s", want, text.String())
			}
		}
	})
}

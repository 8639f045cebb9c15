package framework_test

import (
	"bytes"
	"context"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
)

// exiting is a bank whose handlers end their goroutines, as a mock does that fails its test.
type exiting struct {
	paymentsv1.UnimplementedPaymentsServiceServer
}

func (exiting) Charge(context.Context, *paymentsv1.ChargeRequest) (*paymentsv1.ChargeResponse, error) {
	runtime.Goexit()
	return nil, nil
}

func (exiting) WatchCharge(
	*paymentsv1.WatchChargeRequest, grpc.ServerStreamingServer[paymentsv1.WatchChargeResponse],
) error {
	runtime.Goexit()
	return nil
}

func (exiting) GetQuote(context.Context, *paymentsv1.GetQuoteRequest) (*paymentsv1.GetQuoteResponse, error) {
	return &paymentsv1.GetQuoteResponse{}, nil
}

// The caller of a handler that ends its goroutine has INTERNAL at once, the log a line, and the server goes on.
func TestHandlerThatEndsItsGoroutine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		var log bytes.Buffer
		app := n.App("payments", framework.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		paymentsv1.RegisterPaymentsServiceServer(n.Server(app), exiting{})
		n.Start()
		client := paymentsv1.NewPaymentsServiceClient(n.App("orders").Client("payments"))
		started := time.Now()
		if _, err := client.Charge(t.Context(), &paymentsv1.ChargeRequest{}); status.Code(err) != codes.Internal {
			t.Errorf("Charge = %v, want INTERNAL", err)
		}
		stream, err := client.WatchCharge(t.Context(), &paymentsv1.WatchChargeRequest{})
		if err == nil {
			_, err = stream.Recv()
		}
		if status.Code(err) != codes.Internal {
			t.Errorf("WatchCharge = %v, want INTERNAL", err)
		}
		if took := time.Since(started); took != 0 {
			t.Errorf("took %v", took)
		}
		if _, err := client.GetQuote(t.Context(), &paymentsv1.GetQuoteRequest{}); err != nil {
			t.Error(err)
		}
		if lines := strings.Count(log.String(), "level=ERROR"); lines != 2 {
			t.Errorf("the log has %d errors, want one for each handler: %s", lines, log.String())
		}
	})
}

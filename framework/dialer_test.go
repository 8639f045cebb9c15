package framework_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
)

// A dial function that panics or ends its goroutine costs one connection: neither the process, nor the attempts that
// come after.
func TestADialerThatPanics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		paymentsv1.RegisterPaymentsServiceServer(n.Server(n.App("payments")), &slowBank{})
		n.Start()
		var log bytes.Buffer
		app := n.App("orders", framework.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		dialled := 0
		dial := func(ctx context.Context, address string) (net.Conn, error) {
			switch dialled++; dialled {
			case 1:
				panic("thrown")
			case 2:
				runtime.Goexit()
			}
			return n.Dial(ctx, address)
		}
		client := paymentsv1.NewPaymentsServiceClient(app.Client("payments", framework.WithDialer(dial)))
		if _, err := client.GetQuote(t.Context(), &paymentsv1.GetQuoteRequest{}); err != nil {
			t.Fatal(err)
		}
		if dialled != 3 || !strings.Contains(log.String(), "dialer_test.go") {
			t.Errorf("dialled %d times, want 3; the log says %q, want the stack of the panic", dialled, log.String())
		}
	})
}

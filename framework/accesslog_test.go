package framework_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
)

// Lines of the access log, and those of the program, carry the trace of their call.
func TestTheAccessLogNamesCallerAndTrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		var log bytes.Buffer
		app := n.App("payments", framework.WithAccessLog(),
			framework.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		paymentsv1.RegisterPaymentsServiceServer(n.Server(app), &bank{quote: func(ctx context.Context) error {
			app.Logger().InfoContext(ctx, "quoting")
			time.Sleep(100 * time.Millisecond)
			return status.Error(codes.NotFound, "no such order")
		}})
		n.Run(app)
		if _, err := client(n).GetQuote(t.Context(), &paymentsv1.GetQuoteRequest{}); status.Code(err) != codes.NotFound {
			t.Fatal(err)
		}
		synctest.Wait()
		var own, access string
		for line := range strings.Lines(log.String()) {
			switch {
			case strings.Contains(line, "quoting"):
				own = line
			case strings.Contains(line, "finished call"):
				access = line
			}
		}
		_, trace, traced := strings.Cut(own, "trace_id=")
		trace, _, _ = strings.Cut(trace, " ")
		if !traced {
			t.Errorf("the line of the program carries no trace: %s", own)
		}
		for _, want := range []string{"GetQuote", "NotFound", "spiffe://test/orders", "trace_id=" + trace} {
			if !strings.Contains(access, want) {
				t.Errorf("the access log lacks %q: %s", want, access)
			}
		}
	})
}

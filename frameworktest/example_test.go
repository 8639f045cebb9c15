package frameworktest_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/parley-rpc/parley/frameworktest"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
)

const getQuote = "/shop.payments.v1.PaymentsService/GetQuote"

type payments struct {
	paymentsv1.UnimplementedPaymentsServiceServer
}

func (payments) GetQuote(context.Context, *paymentsv1.GetQuoteRequest) (*paymentsv1.GetQuoteResponse, error) {
	return &paymentsv1.GetQuoteResponse{}, nil
}

// A service that fails twice and then hangs for a while is tested in no time, with exact durations.
func Example() {
	test := func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			network := frameworktest.NewNetwork(t)
			app := network.App("payments")
			faults := frameworktest.NewFaults().
				Fail(getQuote, 2, codes.Unavailable).
				Delay(getQuote, 1, 300*time.Millisecond)
			paymentsv1.RegisterPaymentsServiceServer(network.Server(app, faults.Option()), payments{})
			client := paymentsv1.NewPaymentsServiceClient(network.App("orders").Client("payments"))
			network.Start()

			if _, err := client.GetQuote(t.Context(), &paymentsv1.GetQuoteRequest{}); err != nil {
				t.Error(err)
			}
			if n := faults.Calls(getQuote); n != 3 {
				t.Errorf("%d attempts", n)
			}
		})
	}
	_ = test // run it with go test
	// Output:
}

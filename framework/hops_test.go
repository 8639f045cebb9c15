package framework_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	ordersv1 "github.com/parley-rpc/parley/gen/shop/orders/v1"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
)

// quoting is an orders service that asks payments for a quote.
type quoting struct {
	ordersv1.UnimplementedOrdersServiceServer
	payments paymentsv1.PaymentsServiceClient
}

func (q *quoting) GetOrder(ctx context.Context, _ *ordersv1.GetOrderRequest) (*ordersv1.GetOrderResponse, error) {
	if _, err := q.payments.GetQuote(ctx, &paymentsv1.GetQuoteRequest{}); err != nil {
		return nil, err
	}
	return &ordersv1.GetOrderResponse{}, nil
}

// GetOrder may be tried 3 times and GetQuote 4 times, which makes 12 where nobody guards the chain.
func TestRetriesDoNotMultiplyAlongAChain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		payments := n.App("payments")
		faults := frameworktest.NewFaults().Fail(getQuote, 100, codes.Unavailable)
		paymentsv1.RegisterPaymentsServiceServer(n.Server(payments, faults.Option()), &bank{})
		orders := n.App("orders")
		ordersv1.RegisterOrdersServiceServer(
			n.Server(orders),
			&quoting{payments: paymentsv1.NewPaymentsServiceClient(orders.Client("payments"))},
		)
		n.Start()
		_, err := ordersv1.NewOrdersServiceClient(n.App("web").Client("orders")).
			GetOrder(t.Context(), &ordersv1.GetOrderRequest{})
		if status.Code(err) != codes.Unavailable {
			t.Errorf("GetOrder = %v", err)
		}
		if got := faults.Calls(getQuote); got != 4 {
			t.Errorf("payments saw %d attempts, want 4", got)
		}
	})
}

func TestASlowCallIsHedgedWhereItsPolicySaysSo(t *testing.T) {
	t.Parallel()
	hedged := framework.WithPolicy(map[string]*policyv1.Policy{
		getQuote: {Hedge: &policyv1.Hedge{Delay: durationpb.New(100 * time.Millisecond)}},
	})
	for _, test := range []struct {
		name     string
		replicas int
		took     time.Duration
		calls    int
	}{
		{"by the other replica", 2, 100 * time.Millisecond, 2},
		{"not where there is only one", 1, 300 * time.Millisecond, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n := frameworktest.NewNetwork(t)
				faults := frameworktest.NewFaults().Pass(getQuote, 1).Delay(getQuote, 1, 300*time.Millisecond)
				for range test.replicas {
					paymentsv1.RegisterPaymentsServiceServer(n.Server(n.App("payments"), faults.Option()), &bank{})
				}
				n.Start()
				client := paymentsv1.NewPaymentsServiceClient(n.App("orders", hedged).Client("payments"))
				if _, err := client.GetQuote(t.Context(), &paymentsv1.GetQuoteRequest{}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second) // until discovery has told of every replica
				started := time.Now()
				if _, err := client.GetQuote(t.Context(), &paymentsv1.GetQuoteRequest{}); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(started); took != test.took {
					t.Errorf("took %v, want %v", took, test.took)
				}
				if got := faults.Calls(getQuote) - 1; got != test.calls {
					t.Errorf("%d attempts, want %d", got, test.calls)
				}
			})
		})
	}
}

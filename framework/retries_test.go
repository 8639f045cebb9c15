package framework_test

import (
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
)

// The channels of an App have gRPC's own retry switched off, so that a service config that asks for it leaves it to
// Parley.
func TestARetryPolicyOfAServiceConfigIsIgnored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		out := frameworktest.NewFaults()
		replicas(n, out)
		client := paymentsv1.NewPaymentsServiceClient(n.App("orders").Client("payments", framework.WithDialOptions(
			grpc.WithDefaultServiceConfig(`{"methodConfig":[{"name":[{}],"retryPolicy":{"maxAttempts":5,
				"initialBackoff":"0.01s","maxBackoff":"0.01s","backoffMultiplier":1,"retryableStatusCodes":["UNAVAILABLE"]}}]}`))))
		settle(t, client)
		out.Fail(getQuote, 1, codes.Unavailable)
		if err := quote(t, client); err != nil {
			t.Errorf("a call whose first attempt fails returned %v", err)
		}
	})
}

// One switch turns the retries of all clients of an App off, also of those that it makes later, and on again.
func TestRetriesAreSwitchedOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		out := frameworktest.NewFaults()
		replicas(n, out)
		app := n.App("orders")
		first := paymentsv1.NewPaymentsServiceClient(app.Client("payments"))
		settle(t, first)
		failed := func(client paymentsv1.PaymentsServiceClient, want codes.Code) {
			t.Helper()
			out.Fail(getQuote, 1, codes.Unavailable)
			if err := quote(t, client); status.Code(err) != want {
				t.Errorf("a call whose first attempt fails returned %v, want %v", err, want)
			}
		}
		failed(first, codes.OK)
		app.SetRetries(false)
		failed(first, codes.Unavailable)
		second := paymentsv1.NewPaymentsServiceClient(app.Client("payments"))
		failed(second, codes.Unavailable)
		app.SetRetries(true)
		failed(first, codes.OK)
		failed(second, codes.OK)
	})
}

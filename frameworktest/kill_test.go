package frameworktest_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/frameworktest"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
)

// A killed App answers nothing from now on, and stands in discovery until its lease of 15s has run out.
func TestKillLeavesNothingButTheLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := frameworktest.NewNetwork(t)
		app := network.App("payments")
		s := &till{}
		paymentsv1.RegisterPaymentsServiceServer(network.Server(app), s)
		client := paymentsv1.NewPaymentsServiceClient(network.App("orders").Client("payments"))
		network.Start()
		if _, err := client.Charge(t.Context(), &paymentsv1.ChargeRequest{}); err != nil {
			t.Fatal(err)
		}

		var listed []int // how many instances the engine lists, after each change
		d := network.Engine().Driver()
		watching := make(chan error, 1)
		go func() {
			watching <- d.Watch(t.Context(), "payments", func(list []discovery.Instance) { listed = append(listed, len(list)) })
		}()
		network.Kill(app)
		if _, err := client.Charge(t.Context(), &paymentsv1.ChargeRequest{}); status.Code(err) != codes.Unavailable ||
			s.charges.Load() != 1 {
			t.Errorf("Charge after the kill: %v, %d charges; want UNAVAILABLE and the one of before", err, s.charges.Load())
		}
		time.Sleep(16 * time.Second)
		synctest.Wait()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if err := <-watching; err == nil {
			t.Error("the watch ended without an error")
		}
		if !slices.Equal(listed, []int{1, 0}) {
			t.Errorf("the engine listed %v instances, want one and then, without its lease, none", listed)
		}
	})
}

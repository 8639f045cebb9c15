package frameworktest_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/frameworktest"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const charge = "/shop.payments.v1.PaymentsService/Charge"

// till is a payments service that counts.
type till struct {
	paymentsv1.UnimplementedPaymentsServiceServer
	charges atomic.Int32
}

func (s *till) Charge(context.Context, *paymentsv1.ChargeRequest) (*paymentsv1.ChargeResponse, error) {
	s.charges.Add(1)
	return &paymentsv1.ChargeResponse{}, nil
}

// Charge is not idempotent, so nothing repeats it and each call meets one fault.
func TestEachCallMeetsTheNextFault(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := frameworktest.NewNetwork(t)
		app := network.App("payments")
		faults := frameworktest.NewFaults().
			Fail(charge, 1, codes.Aborted).
			Pass(charge, 1).
			Delay(charge, 1, time.Second).
			Hang(charge, 1).
			Drop(charge, 1).
			Lose(charge, 1).
			Answer(charge, 1, func(context.Context) error { return status.Error(codes.DataLoss, "gone") })
		s := &till{}
		paymentsv1.RegisterPaymentsServiceServer(network.Server(app, faults.Option()), s)
		client := paymentsv1.NewPaymentsServiceClient(network.App("orders").Client("payments"))
		network.Start()
		if text := faults.String(); strings.Count(text, charge) != 7 || !strings.Contains(text, "delay 1s") {
			t.Errorf("the script reads:\n%s", text)
		}
		for _, want := range []struct {
			name    string
			code    codes.Code
			took    time.Duration
			charges int32
		}{
			{"fail", codes.Aborted, 0, 0},
			{"pass", codes.OK, 0, 1},
			{"delay", codes.OK, time.Second, 2},
			{"hang", codes.DeadlineExceeded, 2 * time.Second, 2}, // the method's deadline
			{"drop", codes.Unavailable, 0, 2},
			{"lose", codes.Unavailable, 0, 3},
			{"answer", codes.DataLoss, 0, 3},
			{"end of the script", codes.OK, 0, 4},
		} {
			started := time.Now()
			_, err := client.Charge(t.Context(), &paymentsv1.ChargeRequest{})
			if status.Code(err) != want.code {
				t.Errorf("%s: %v, want %v", want.name, err, want.code)
			}
			if took := time.Since(started); took != want.took {
				t.Errorf("%s: took %v, want %v", want.name, took, want.took)
			}
			if got := s.charges.Load(); got != want.charges {
				t.Errorf("%s: %d charges, want %d", want.name, got, want.charges)
			}
			time.Sleep(2 * time.Second) // for a dropped connection to be made again
		}
		if n := faults.Calls(charge); n != 8 {
			t.Errorf("%d calls", n)
		}
	})
}

func TestReplicasShareAScript(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := frameworktest.NewNetwork(t)
		faults := frameworktest.NewFaults().Fail(getQuote, 3, codes.Unavailable)
		for range 3 {
			paymentsv1.RegisterPaymentsServiceServer(network.Server(network.App("payments"), faults.Option()), payments{})
		}
		client := paymentsv1.NewPaymentsServiceClient(network.App("orders").Client("payments"))
		network.Start()
		if _, err := client.GetQuote(t.Context(), &paymentsv1.GetQuoteRequest{}); err != nil {
			t.Error(err)
		}
		if n := faults.Calls(getQuote); n != 4 {
			t.Errorf("%d attempts, want 4", n)
		}
		calls := network.Calls()
		if len(calls) != 1 || len(calls[0].Attempts) != 4 {
			t.Errorf("waterfall: %v", calls)
		}
	})
}

// failing is a test whose errors are kept.
type failing struct {
	testing.TB
	errs     []string
	cleanups []func()
}

func (f *failing) Helper()          {}
func (f *failing) Cleanup(c func()) { f.cleanups = append(f.cleanups, c) }
func (f *failing) Failed() bool     { return false }
func (f *failing) Errorf(format string, args ...any) {
	f.errs = append(f.errs, fmt.Sprintf(format, args...))
}

// A script that no call can meet would pass unplayed.
func TestAScriptForAnUnknownMethodFailsTheTest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &failing{TB: t}
		network := frameworktest.NewNetwork(f)
		faults := frameworktest.NewFaults().Fail(getQuote, 1, codes.Aborted).
			Fail("/shop.payments.v1.PaymentsService/GetQuot", 1, codes.Aborted)
		paymentsv1.RegisterPaymentsServiceServer(network.Server(network.App("payments"), faults.Option()), payments{})
		faults.Hang("shop.payments.v1.PaymentsService/GetQuote", 1) // without the slash
		for _, c := range slices.Backward(f.cleanups) {
			c()
		}
		want := []string{"PaymentsService/GetQuot\"", "\"shop.payments.v1"}
		if len(f.errs) != 2 || !strings.Contains(f.errs[0], want[0]) || !strings.Contains(f.errs[1], want[1]) {
			t.Errorf("the test failed with %q, want one error each that holds %q", f.errs, want)
		}
	})
}

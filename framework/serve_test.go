package framework_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	ordersv1 "github.com/parley-rpc/parley/gen/shop/orders/v1"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

func TestTwoServicesProveThemselvesToEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		var caller principal.Peer
		n.Run(replica(n, &bank{quote: func(ctx context.Context) error {
			caller, _ = principal.PeerFromContext(ctx)
			return nil
		}}))
		if _, err := client(n).GetQuote(t.Context(), &paymentsv1.GetQuoteRequest{}); err != nil {
			t.Fatal(err)
		}
		if got := caller.ID.String(); got != "spiffe://test/orders" {
			t.Errorf("the caller proved to be %q", got)
		}
	})
}

func TestACallIsRetriedAndEveryAttemptIsSeen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		app := n.App("payments")
		faults := frameworktest.NewFaults().Fail(getQuote, 2, codes.Unavailable)
		server := n.Server(app, faults.Option())
		paymentsv1.RegisterPaymentsServiceServer(server, &bank{})
		n.Run(app)
		if _, err := client(n).GetQuote(t.Context(), &paymentsv1.GetQuoteRequest{}); err != nil {
			t.Fatal(err)
		}
		calls := n.Calls()
		if len(calls) != 1 {
			t.Fatalf("%d calls in the waterfall", len(calls))
		}
		var seen []string
		for _, a := range calls[0].Attempts {
			if a.Endpoint != server.Addr().String() {
				t.Errorf("attempt %d went to %q", a.Number, a.Endpoint)
			}
			seen = append(seen, a.Status)
		}
		if want := []string{"UNAVAILABLE", "UNAVAILABLE", "OK"}; !slices.Equal(seen, want) {
			t.Errorf("attempts: %v, want %v", seen, want)
		}
	})
}

func TestALostReplyOfACallThatIsNotIdempotentIsNotRepeated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		app := n.App("payments")
		faults := frameworktest.NewFaults().Lose(charge, 1)
		b := &bank{}
		paymentsv1.RegisterPaymentsServiceServer(n.Server(app, faults.Option()), b)
		n.Run(app)
		_, err := client(n).Charge(t.Context(), &paymentsv1.ChargeRequest{})
		var stopped *retry.Error
		if status.Code(err) != codes.Unavailable || !errors.As(err, &stopped) || stopped.Reason != retry.StopNotIdempotent {
			t.Errorf("Charge = %v", err)
		}
		if got := b.charges.Load(); got != 1 {
			t.Errorf("%d charges", got)
		}
	})
}

func TestNotReadyIsShownAndNotDeregistered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		var mu sync.Mutex
		why := errors.New("the cache is cold")
		app := replica(n, &bank{})
		app.ReadyWhen("cache", func(context.Context) error {
			mu.Lock()
			defer mu.Unlock()
			return why
		})
		setReady := func(err error) {
			mu.Lock()
			why = err
			mu.Unlock()
			time.Sleep(2 * time.Second)
		}
		ready := make(chan struct{})
		go func() {
			n.Run(app)
			close(ready)
		}()
		time.Sleep(5 * time.Second)
		select {
		case <-ready:
			t.Error("ready although the check failed")
		default:
		}
		setReady(nil)
		<-ready
		health := healthv1.NewHealthClient(n.App("orders").Client("payments"))
		for _, step := range []struct {
			err  error
			want healthv1.HealthCheckResponse_ServingStatus
		}{
			{nil, healthv1.HealthCheckResponse_SERVING},
			{errors.New("the cache is cold again"), healthv1.HealthCheckResponse_NOT_SERVING},
			{nil, healthv1.HealthCheckResponse_SERVING},
		} {
			setReady(step.err)
			checked := httptest.NewRecorder()
			app.AdminHandler().ServeHTTP(checked, httptest.NewRequestWithContext(
				t.Context(), http.MethodGet, "http://127.0.0.1/readyz", http.NoBody,
			))
			line := "[+] cache: ok\nready\n"
			if step.err != nil {
				line = "[-] cache: the cache is cold again\nnot ready\n"
			}
			if checked.Body.String() != line {
				t.Errorf("/readyz says\n%swant\n%s", checked.Body.String(), line)
			}
			if step.err != nil {
				continue // health checks keep calls away; the next step shows that the instance stayed known
			}
			reply, err := health.Check(t.Context(), &healthv1.HealthCheckRequest{}, grpc.WaitForReady(true))
			if err != nil || reply.GetStatus() != step.want {
				t.Errorf("health = %v, %v; want %v", reply.GetStatus(), err, step.want)
			}
		}
	})
}

func TestAPanicIsOneFailedCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		n.Run(replica(n, &bank{quote: func(context.Context) error { panic("secret of the handler") }}))
		calls := client(n)
		_, err := calls.GetQuote(t.Context(), &paymentsv1.GetQuoteRequest{})
		if status.Code(err) != codes.Internal || strings.Contains(err.Error(), "secret") {
			t.Errorf("GetQuote = %v", err)
		}
		if _, err := calls.Charge(t.Context(), &paymentsv1.ChargeRequest{}); err != nil {
			t.Errorf("the next call: %v", err)
		}
	})
}

// shopfront is an orders service that passes the errors of payments on.
type shopfront struct {
	ordersv1.UnimplementedOrdersServiceServer
	payments paymentsv1.PaymentsServiceClient
}

func (s *shopfront) GetOrder(ctx context.Context, _ *ordersv1.GetOrderRequest) (*ordersv1.GetOrderResponse, error) {
	if _, err := s.payments.Charge(ctx, &paymentsv1.ChargeRequest{}); err != nil {
		return nil, err
	}
	return &ordersv1.GetOrderResponse{}, nil
}

func TestWhatAHopSaysOfItselfDoesNotTravelOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		payments := n.App("payments")
		faults := frameworktest.NewFaults().Answer(charge, 9, func(context.Context) error {
			st, err := status.New(codes.FailedPrecondition, "card expired").WithDetails(
				&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)},
				&errdetails.ErrorInfo{Reason: string(rpcerr.PolicyDenied), Domain: rpcerr.Domain},
				&errdetails.ErrorInfo{Reason: "CARD_EXPIRED", Domain: "payments.shop.example"},
			)
			if err != nil {
				return err
			}
			return st.Err()
		})
		paymentsv1.RegisterPaymentsServiceServer(n.Server(payments, faults.Option()), &bank{})
		orders := n.App("orders")
		ordersv1.RegisterOrdersServiceServer(
			n.Server(orders),
			&shopfront{payments: paymentsv1.NewPaymentsServiceClient(orders.Client("payments"))},
		)
		n.Start()
		_, err := ordersv1.NewOrdersServiceClient(n.App("web").Client("orders")).
			GetOrder(t.Context(), &ordersv1.GetOrderRequest{})
		st := status.Convert(err)
		if st.Code() != codes.FailedPrecondition || st.Message() != "card expired" {
			t.Errorf("GetOrder = %v", err)
		}
		details := st.Details()
		if len(details) != 1 {
			t.Fatalf("details: %v", details)
		}
		if info, ok := details[0].(*errdetails.ErrorInfo); !ok || info.GetReason() != "CARD_EXPIRED" {
			t.Errorf("details: %v", details)
		}
	})
}

func TestCallsAreNotHeldUpByMoreOthersThanThereAreWorkers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		released := make(chan struct{})
		b := &bank{quote: func(context.Context) error {
			<-released
			return nil
		}}
		n.Run(replica(n, b))
		calls := client(n)
		var wg sync.WaitGroup
		for range framework.StreamWorkers + 1 {
			wg.Go(func() {
				if _, err := calls.GetQuote(t.Context(), &paymentsv1.GetQuoteRequest{}); err != nil {
					t.Errorf("GetQuote: %v", err)
				}
			})
		}
		synctest.Wait()
		started := time.Now()
		if _, err := calls.Charge(t.Context(), &paymentsv1.ChargeRequest{}); err != nil || time.Since(started) != 0 {
			t.Errorf("beside them a call took %v and returned %v", time.Since(started), err)
		}
		close(released)
		wg.Wait()
	})
}

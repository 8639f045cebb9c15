package framework_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/discovery/grpcbalancer"
	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/rpcerr"
	"github.com/parley-rpc/parley/waterfall"
)

// route notes where the attempts of a call are sent.
type route struct {
	mu      sync.Mutex
	choices []string
}

func (r *route) option() framework.AppOrClientOption {
	note := func(ctx context.Context) {
		attempt.FromContext(ctx).OnChoice(func(c attempt.Choice) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.choices = append(r.choices, c.Endpoint)
		})
	}
	return framework.WithAttemptInterceptors(
		func(
			ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker,
			opts ...grpc.CallOption,
		) error {
			note(ctx)
			return invoker(ctx, method, req, reply, cc, opts...)
		},
		func(
			ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer,
			opts ...grpc.CallOption,
		) (grpc.ClientStream, error) {
			note(ctx)
			return streamer(ctx, desc, cc, method, opts...)
		},
	)
}

// taken returns what was noted since it was last asked.
func (r *route) taken() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.choices
	r.choices = nil
	return taken
}

// replicas starts a payments service whose replicas play the scripts.
func replicas(n *frameworktest.Network, scripts ...*frameworktest.Faults) {
	for _, script := range scripts {
		paymentsv1.RegisterPaymentsServiceServer(n.Server(n.App("payments"), script.Option()), &bank{})
	}
	n.Start()
}

func quote(t *testing.T, client paymentsv1.PaymentsServiceClient) error {
	_, err := client.GetQuote(t.Context(), &paymentsv1.GetQuoteRequest{})
	return err
}

// settle makes calls until the client knows every replica.
func settle(t *testing.T, client paymentsv1.PaymentsServiceClient) {
	t.Helper()
	for range 3 {
		if err := quote(t, client); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
	}
}

// Of three endpoints one swallows everything. Each call that meets it succeeds elsewhere.
func TestScenario33RetryLandsElsewhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		hole := frameworktest.NewFaults()
		replicas(n, hole, frameworktest.NewFaults(), frameworktest.NewFaults())
		var way route
		client := paymentsv1.NewPaymentsServiceClient(
			n.App("orders", way.option(), framework.WithPolicy(map[string]*policyv1.Policy{
				getQuote: {
					Retry: &policyv1.Retry{MaxAttempts: new(uint32(3)), PerAttemptTimeout: durationpb.New(50 * time.Millisecond)},
				},
			})).Client("payments", framework.WithBalancing(grpcbalancer.Balancing{
				Outliers: &grpcbalancer.Outliers{Off: true}, // or else it would rest, and no call would meet it
			})),
		)
		settle(t, client)
		hole.Hang(getQuote, 300)
		way.taken()
		met := 0
		for range 300 {
			if err := quote(t, client); err != nil {
				t.Fatal(err)
			}
			switch way := way.taken(); {
			case len(way) > 2, len(way) == 2 && way[0] == way[1]:
				t.Fatalf("the attempts of one call went to %v", way)
			case len(way) == 2:
				met++
			}
		}
		if met < 60 {
			t.Errorf("%d of 300 calls met the hole, want about a third", met)
		}
	})
}

// Where every endpoint has been tried there is a fourth attempt nevertheless.
func TestScenario34EveryEndpointWasTried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		scripts := []*frameworktest.Faults{frameworktest.NewFaults(), frameworktest.NewFaults(), frameworktest.NewFaults()}
		replicas(n, scripts...)
		var way route
		client := paymentsv1.NewPaymentsServiceClient(n.App("orders", way.option()).Client("payments"))
		settle(t, client)
		for _, script := range scripts {
			script.Fail(getQuote, 1, codes.Unavailable)
		}
		way.taken()
		if err := quote(t, client); err != nil {
			t.Fatal(err)
		}
		got := way.taken()
		if len(got) != 4 || len(slices.Compact(slices.Sorted(slices.Values(got[:3])))) != 3 {
			t.Errorf("the attempts went to %v, want three different endpoints and one of them again", got)
		}
	})
}

// The hedge goes to the other endpoint, and the page shows both while they are out.
func TestHedgeGoesElsewhereAndShowsIt(t *testing.T) {
	t.Parallel()
	hedged := framework.WithPolicy(map[string]*policyv1.Policy{
		getQuote: {Hedge: &policyv1.Hedge{Delay: durationpb.New(100 * time.Millisecond)}},
	})
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		both := frameworktest.NewFaults()
		replicas(n, both, both)
		ring := waterfall.NewRing(10)
		client := paymentsv1.NewPaymentsServiceClient(
			n.App("orders", hedged, framework.WithWaterfall(ring)).Client("payments"),
		)
		settle(t, client)
		for range 8 { // hedges, for which the budget pays
			both.Delay(getQuote, 2, 300*time.Millisecond)
			ended := make(chan error, 1)
			go func() { ended <- quote(t, client) }()
			time.Sleep(200 * time.Millisecond)
			synctest.Wait()
			attempts := ring.Calls()[0].Attempts
			if len(attempts) != 2 || !attempts[0].Open || !attempts[1].Open || !attempts[1].Hedge {
				t.Fatalf("after 200ms the call shows %+v, want two attempts that are out", attempts)
			}
			if a, b := attempts[0].Endpoint, attempts[1].Endpoint; a == "" || b == "" || a == b {
				t.Fatalf("the attempts that are out are at %q and %q, want two endpoints", a, b)
			}
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Pick_first has one endpoint at a time, however many instances there are, so a hedge would join the same queue.
func TestScenario31NoHedgeThroughPickFirst(t *testing.T) {
	t.Parallel()
	file := writeFile(
		t,
		"clients:\n  payments: {balancing: pick_first}\npolicies:\n  "+getQuote+":\n    hedge: {delay: 100ms}\n",
	)
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		both := frameworktest.NewFaults()
		replicas(n, both, both)
		client := paymentsv1.NewPaymentsServiceClient(n.App("orders", framework.WithConfigFile(file)).Client("payments"))
		settle(t, client)
		both.Delay(getQuote, 2, 300*time.Millisecond)
		before, started := both.Calls(getQuote), time.Now()
		if err := quote(t, client); err != nil {
			t.Fatal(err)
		}
		if took, calls := time.Since(started), both.Calls(getQuote)-before; took != 300*time.Millisecond || calls != 1 {
			t.Errorf("%d attempts in %v, want 1 in 300ms", calls, took)
		}
	})
}

// A server that sheds Charge before its handler runs says so, and another endpoint may run it: once.
func TestScenario21UnprocessedCallGoesElsewhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		shedding, healthy := frameworktest.NewFaults(), frameworktest.NewFaults()
		first, second := &bank{}, &bank{}
		paymentsv1.RegisterPaymentsServiceServer(n.Server(n.App("payments"), shedding.Option()), first)
		paymentsv1.RegisterPaymentsServiceServer(n.Server(n.App("payments"), healthy.Option()), second)
		n.Start()
		shedding.Answer(charge, 100, func(ctx context.Context) error {
			if err := rpcerr.SetUnprocessed(ctx); err != nil {
				return err
			}
			return status.Error(codes.Unavailable, "overloaded")
		})
		client := paymentsv1.NewPaymentsServiceClient(n.App("orders").Client("payments"))
		settle(t, client)
		for range 20 {
			if _, err := client.Charge(t.Context(), &paymentsv1.ChargeRequest{}); err != nil {
				t.Fatal(err)
			}
		}
		if first.charges.Load() != 0 || second.charges.Load() != 20 || shedding.Calls(charge) == 0 {
			t.Errorf(
				"charged %d and %d times, and shed %d calls; want all 20 by the second",
				first.charges.Load(),
				second.charges.Load(),
				shedding.Calls(charge),
			)
		}
	})
}

// A call that its deadline ends while two attempts are out tells where they were.
func TestErrorNamesTheEndpointsOfAbandonedAttempts(t *testing.T) {
	t.Parallel()
	hedged := framework.WithPolicy(map[string]*policyv1.Policy{
		getQuote: {Hedge: &policyv1.Hedge{Delay: durationpb.New(50 * time.Millisecond)}},
	})
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		both := frameworktest.NewFaults()
		replicas(n, both, both)
		client := paymentsv1.NewPaymentsServiceClient(n.App("orders", hedged).Client("payments"))
		settle(t, client)
		both.Hang(getQuote, 2)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := client.GetQuote(ctx, &paymentsv1.GetQuoteRequest{})
		failed, ok := errors.AsType[*retry.Error](err)
		if !ok || failed.Attempts != 2 {
			t.Fatalf("GetQuote = %v, want two attempts", err)
		}
		if a, b := failed.Endpoints[0], failed.Endpoints[1]; a == "" || b == "" || a == b {
			t.Errorf("the attempts were at %q and %q, want two endpoints", a, b)
		}
	})
}

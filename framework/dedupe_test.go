package framework_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/interceptors/retry/dedupe"
)

// slowBank takes its time to charge, and counts.
type slowBank struct {
	bank
	takes   time.Duration
	charges atomic.Int64
}

func (b *slowBank) Charge(ctx context.Context, _ *paymentsv1.ChargeRequest) (*paymentsv1.ChargeResponse, error) {
	b.charges.Add(1)
	select {
	case <-time.After(b.takes):
		return &paymentsv1.ChargeResponse{}, nil
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
}

// Charge must not be repeated. With a key it may be: the first attempt is given up after 100ms, the second finds the
// handler at work, and has its answer after 150ms. Without one nothing may follow the first attempt, which has all the
// time it needs.
func TestKeyedCallIsRetriedAndRunsOnce(t *testing.T) {
	t.Parallel()
	cut := framework.WithPolicy(map[string]*policyv1.Policy{
		charge: {
			Retry: &policyv1.Retry{MaxAttempts: new(uint32(2)), PerAttemptTimeout: durationpb.New(100 * time.Millisecond)},
		},
	})
	keyed := framework.WithRetry(retry.WithKeyedMethods(charge))
	for _, test := range []struct {
		name    string
		server  []framework.ServerOption
		client  []framework.ClientOption
		code    codes.Code
		took    time.Duration
		charges int64
	}{
		{
			"with keys on both sides",
			[]framework.ServerOption{framework.WithDedupe()},
			[]framework.ClientOption{keyed},
			codes.OK, 150 * time.Millisecond, 1,
		},
		{"without keys", []framework.ServerOption{framework.WithDedupe()}, nil, codes.OK, 150 * time.Millisecond, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n := frameworktest.NewNetwork(t)
				bank := &slowBank{takes: 150 * time.Millisecond}
				paymentsv1.RegisterPaymentsServiceServer(n.Server(n.App("payments"), test.server...), bank)
				n.Start()
				client := paymentsv1.NewPaymentsServiceClient(n.App("orders", cut).Client("payments", test.client...))
				settle(t, client)
				started := time.Now()
				if _, err := client.Charge(t.Context(), &paymentsv1.ChargeRequest{}); status.Code(err) != test.code {
					t.Errorf("Charge = %v, want %v", err, test.code)
				}
				if took := time.Since(started); took != test.took {
					t.Errorf("took %v, want %v", took, test.took)
				}
				time.Sleep(time.Second)
				if got := bank.charges.Load(); got != test.charges {
					t.Errorf("charged %d times, want %d", got, test.charges)
				}
			})
		})
	}
}

// keyStore notes the keys that are claimed.
type keyStore struct {
	dedupe.Store
	claimed []dedupe.Key
}

func (s *keyStore) Claim(
	ctx context.Context,
	key dedupe.Key,
	f dedupe.Fingerprint,
	ttl time.Duration,
) (dedupe.Answer, bool, error) {
	s.claimed = append(s.claimed, key)
	return s.Store.Claim(ctx, key, f, ttl)
}

// A key belongs to the caller who has proven himself, whatever he says.
func TestKeysBelongToTheProvenPeer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		store := &keyStore{Store: dedupe.NewMemory(0, 0)}
		payments := n.App("payments", framework.WithDedupe(dedupe.WithStore(store)))
		paymentsv1.RegisterPaymentsServiceServer(n.Server(payments), &slowBank{})
		n.Start()
		client := paymentsv1.NewPaymentsServiceClient(n.App("orders").Client("payments"))
		ctx := retry.WithIdempotencyKey(t.Context(), "order-42")
		for range 2 {
			if _, err := client.Charge(ctx, &paymentsv1.ChargeRequest{}); err != nil {
				t.Fatal(err)
			}
		}
		want := dedupe.Key{Caller: "spiffe://test/orders", Method: charge, Key: "order-42"}
		if len(store.claimed) != 2 || store.claimed[0] != want || store.claimed[1] != want {
			t.Errorf("claimed %+v, want twice %+v", store.claimed, want)
		}
		var text strings.Builder
		if err := payments.Describe(&text); err != nil {
			t.Fatal(err)
		}
		if want := "chain guard > dedupe > [Handler] > handler"; !strings.Contains(text.String(), want) {
			t.Errorf("Describe does not show %q:\n%s", want, text.String())
		}
	})
}

func TestDedupeThatCannotBe(t *testing.T) {
	t.Parallel()
	n := frameworktest.NewNetwork(t)
	app := n.App("payments", framework.WithDedupe(dedupe.WithTTL(-time.Second)))
	paymentsv1.RegisterPaymentsServiceServer(n.Server(app), &bank{})
	if err := app.Check(); err == nil ||
		!strings.Contains(err.Error(), "WithDedupe: dedupe.WithTTL: -1s is not positive") {
		t.Errorf("Check = %v", err)
	}
}

package retry_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/policy"
)

// A program may state that a method of another team's .proto may be repeated, where that says nothing. Retries, timeouts
// and hedges then follow, as if the .proto had stated it.
func TestIdempotencyThatThePolicyStates(t *testing.T) {
	const method = "/grpc.health.v1.Health/Check"
	for _, tt := range []struct {
		name     string
		policy   *policyv1.Policy
		attempts int
	}{
		{"nothing stated", &policyv1.Policy{}, 1},
		{"idempotent", &policyv1.Policy{Idempotency: policyv1.Idempotency_IDEMPOTENCY_IDEMPOTENT.Enum()}, 2},
		{"no side effects, hedged", &policyv1.Policy{
			Idempotency: policyv1.Idempotency_IDEMPOTENCY_NO_SIDE_EFFECTS.Enum(),
			Hedge:       &policyv1.Hedge{Delay: durationpb.New(10 * ms)},
		}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				table, err := policy.New(policy.Code(map[string]*policyv1.Policy{method: tt.policy}))
				if err != nil {
					t.Fatal(err)
				}
				r := newRetrier(t, method, terms{}, retry.WithPolicy(table))
				var made atomic.Int64
				invoke := func(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
					if made.Add(1) > 1 {
						return nil
					}
					if tt.policy.GetHedge() != nil {
						return sleep(ctx, time.Second)
					}
					return status.Error(codes.Unavailable, "scripted")
				}
				reply := new(wrapperspb.StringValue)
				err = r.UnaryClientInterceptor(t.Context(), method, reply, reply, nil, invoke)
				if (err == nil) != (tt.attempts > 1) || int(made.Load()) != tt.attempts {
					t.Errorf("%d attempts and %v, want %d", made.Load(), err, tt.attempts)
				}
			})
		})
	}
}

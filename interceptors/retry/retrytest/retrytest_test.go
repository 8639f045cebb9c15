package retrytest_test

import (
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/interceptors/retry/retrytest"
	"github.com/parley-rpc/parley/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ours makes a Retrier as the terms say.
func ours(terms retrytest.Terms, opts ...retry.Option) *retry.Retrier {
	p := &policyv1.Policy{Retry: &policyv1.Retry{
		MaxAttempts:    new(uint32(terms.MaxAttempts)),
		InitialBackoff: durationpb.New(terms.Backoff),
		MaxBackoff:     durationpb.New(terms.MaxBackoff),
	}}
	if terms.PerAttempt > 0 {
		p.Retry.PerAttemptTimeout = durationpb.New(terms.PerAttempt)
	}
	table, err := policy.New(policy.Code(map[string]*policyv1.Policy{"/parley.retrytest.v1.ScriptService/*": p}))
	if err != nil {
		panic(err) // the terms of the cases are good
	}
	return retry.New(append(opts, retry.WithPolicy(table))...)
}

func parley(terms retrytest.Terms) ([]grpc.DialOption, func()) {
	r := ours(terms)
	return r.DialOptions(), func() { _ = r.Close() }
}

func TestParley(t *testing.T) { retrytest.Run(t, parley) }

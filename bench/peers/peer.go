package peers

import (
	"context"
	"fmt"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/failsafegrpc"
	"github.com/failsafe-go/failsafe-go/timeout"
	"github.com/googleapis/gax-go/v2"
	mw "github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/retry"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/interceptors/retry/retrytest"
	"github.com/parley-rpc/parley/policy"
)

// Peer is a retrier as its documentation says to use it.
type Peer struct {
	Name    string
	Subject retrytest.Subject
	// Fails lists the cases that it fails, by the beginnings of their names.
	Fails []string
}

func nothing() {}

// Native is the retry of grpc-go, from a service config, with the throttle that gRFC A6 proposes.
func Native(terms retrytest.Terms) ([]grpc.DialOption, func()) {
	if terms.MaxAttempts < 2 {
		return []grpc.DialOption{grpc.WithDisableRetry()}, nothing
	}
	config := fmt.Sprintf(`{
		"retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1}, "methodConfig": [{"name": [{}], "retryPolicy": {
		"maxAttempts": %d, "initialBackoff": "%.3fs", "maxBackoff": "%.3fs", "backoffMultiplier": 2,
		"retryableStatusCodes": ["UNAVAILABLE"]}}]}`, terms.MaxAttempts, terms.Backoff.Seconds(), terms.MaxBackoff.Seconds())
	return []grpc.DialOption{grpc.WithDefaultServiceConfig(config)}, nothing
}

// Middleware is go-grpc-middleware v2, with its default codes and its bounded jitter.
func Middleware(terms retrytest.Terms) ([]grpc.DialOption, func()) {
	options := []mw.CallOption{
		mw.WithMax(uint(terms.MaxAttempts)),
		mw.WithBackoff(mw.BackoffExponentialWithJitterBounded(terms.Backoff, 0.5, terms.MaxBackoff)),
	}
	if terms.PerAttempt > 0 {
		options = append(options, mw.WithPerRetryTimeout(terms.PerAttempt))
	}
	return []grpc.DialOption{
		grpc.WithDisableRetry(),
		grpc.WithChainUnaryInterceptor(mw.UnaryClientInterceptor(options...)),
		grpc.WithChainStreamInterceptor(mw.StreamClientInterceptor(options...)),
	}, nothing
}

// Failsafe is failsafe-go with failsafegrpc, which knows unary calls only.
func Failsafe(terms retrytest.Terms) ([]grpc.DialOption, func()) {
	builder := failsafegrpc.NewRetryPolicyBuilder[any]().WithMaxAttempts(terms.MaxAttempts).WithJitterFactor(0.5)
	if terms.Backoff < terms.MaxBackoff {
		builder = builder.WithBackoff(terms.Backoff, terms.MaxBackoff)
	} else {
		builder = builder.WithDelay(terms.Backoff)
	}
	policies := []failsafe.Policy[any]{builder.Build()}
	if terms.PerAttempt > 0 {
		policies = append(policies, timeout.New[any](terms.PerAttempt))
	}
	return []grpc.DialOption{
		grpc.WithDisableRetry(), grpc.WithChainUnaryInterceptor(failsafegrpc.NewUnaryClientInterceptor(policies...)),
	}, nothing
}

// Gax is gax-go, with which Google's own clients retry. It has no bound of attempts, so the retryer counts them.
func Gax(terms retrytest.Terms) ([]grpc.DialOption, func()) {
	interceptor := func(
		ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker,
		opts ...grpc.CallOption,
	) error {
		retryer := gax.WithRetry(func() gax.Retryer {
			backoff := gax.Backoff{Initial: terms.Backoff, Max: terms.MaxBackoff, Multiplier: 2}
			return &counted{Retryer: gax.OnCodes([]codes.Code{codes.Unavailable}, backoff), left: terms.MaxAttempts - 1}
		})
		return gax.Invoke(ctx, func(ctx context.Context, _ gax.CallSettings) error {
			return invoker(ctx, method, req, reply, cc, opts...)
		}, retryer)
	}
	return []grpc.DialOption{grpc.WithDisableRetry(), grpc.WithChainUnaryInterceptor(interceptor)}, nothing
}

// counted ends after so many retries.
type counted struct {
	gax.Retryer
	left int
}

func (c *counted) Retry(err error) (time.Duration, bool) {
	if c.left == 0 {
		return 0, false
	}
	c.left--
	return c.Retryer.Retry(err)
}

// Parley is what the table compares them with.
func Parley(terms retrytest.Terms) ([]grpc.DialOption, func()) {
	p := &policyv1.Policy{Retry: &policyv1.Retry{
		MaxAttempts:    new(uint32(terms.MaxAttempts)), //nolint:gosec // small
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
	r := retry.New(retry.WithPolicy(table))
	return r.DialOptions(), func() { _ = r.Close() }
}

package retry_test

import (
	"context"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/rpcerr"
)

func TestScenario19MethodThatMustNotBeRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, always(codes.Unavailable))
		start := time.Now()
		_, err := call(t.Context(), l.dial(t, newRetrier(t, actMethod, terms{attempts: 3})), actMethod)
		stopped(t, err, codes.Unavailable, retry.StopNotIdempotent, 1)
		took(t, start, 0)
		l.saw(t, 1)
	})
}

// The backend comes up after 50ms. What never left the client is repeated even for a method that must not be repeated.
func TestScenario20NeverSent(t *testing.T) {
	for _, tt := range []struct {
		name   string
		inner  []grpc.DialOption
		reason retry.StopReason // "" for a recovered call
	}{
		{name: "plain"},
		{name: "with a second innermost interceptor", inner: []grpc.DialOption{grpc.WithChainUnaryInterceptor(ensuring)}},
		{
			name: "behind something that repeats attempts by itself", reason: retry.StopNotIdempotent,
			inner: []grpc.DialOption{grpc.WithChainUnaryInterceptor(twice, ensuring)},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, failing(0, codes.OK))
				l.down.Store(true)
				time.AfterFunc(50*time.Millisecond, func() { l.down.Store(false) })
				r := newRetrier(t, actMethod, terms{deadline: time.Second, attempts: 5, initial: 100 * time.Millisecond})
				cc := l.dial(t, r, tt.inner...)
				_, err := call(t.Context(), cc, actMethod)
				if tt.reason != "" {
					stopped(t, err, codes.Unavailable, tt.reason, 1)
					l.saw(t, 0)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				l.saw(t, 1)
			})
		})
	}
}

// ensuring is an innermost interceptor as that of another package of Parley.
func ensuring(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	ctx, a := attempt.Ensure(ctx)
	return a.Invoke(ctx, method, req, reply, cc, invoker, opts...)
}

// twice is someone else's interceptor, which repeats attempts without saying so.
func twice(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if err := invoker(ctx, method, req, reply, cc, opts...); err == nil {
		return nil
	}
	return invoker(ctx, method, req, reply, cc, opts...)
}

// A connection that breaks after the request has left may have delivered it.
func TestBrokenConnectionIsNotNeverSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var conns []net.Conn
		l := newLab(t, func(ctx context.Context, _ int) error {
			for _, c := range conns {
				_ = c.Close()
			}
			return sleep(ctx, time.Hour)
		})
		listener := l.servers["replica:1"]
		cc := l.dial(t, newRetrier(t, actMethod, terms{}), grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			conn, err := listener.DialContext(ctx)
			conns = append(conns, conn)
			return conn, err
		}))
		_, err := call(t.Context(), cc, actMethod)
		stopped(t, err, codes.Unavailable, retry.StopNotIdempotent, 1)
	})
}

// A server that says that the handler never ran is believed, and the next attempt goes to another endpoint if the
// balancer lets it: here round_robin.
func TestScenario21Unprocessed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, func(ctx context.Context, n int) error {
			if n > 1 {
				return nil
			}
			if err := rpcerr.SetUnprocessed(ctx); err != nil {
				return err
			}
			return rpcerr.New(rpcerr.ConnectionExpired, "scripted", nil)
		}, "replica:1", "replica:2")
		var tried [][]string
		r := newRetrier(t, actMethod, terms{})
		cc := l.dial(t, r, balanced(l), grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}]}`),
			grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
				tried = append(tried, attempt.FromContext(ctx).Tried())
				return invoker(ctx, method, req, reply, cc, opts...)
			}))
		ready(t, cc)
		replica, err := call(t.Context(), cc, actMethod)
		if err != nil {
			t.Fatal(err)
		}
		if len(tried) != 2 || len(tried[0]) != 0 || len(tried[1]) != 1 || tried[1][0] == replica {
			t.Errorf("the attempts knew of the endpoints %q before %s answered, want none and then the other one", tried, replica)
		}
		l.saw(t, 2)
	})
}

// A status that no policy retries stays, whatever the trailer says.
func TestUnprocessedDoesNotMakeAStatusRetryable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, func(ctx context.Context, _ int) error {
			if err := rpcerr.SetUnprocessed(ctx); err != nil {
				return err
			}
			return status.Error(codes.PermissionDenied, "scripted")
		})
		_, err := call(t.Context(), l.dial(t, newRetrier(t, actMethod, terms{})), actMethod)
		stopped(t, err, codes.PermissionDenied, retry.StopNotRetryable, 1)
	})
}

// Each attempt of a call goes to the next of three replicas; the error lists where they went.
func TestEndpointsInTheError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, always(codes.Unavailable), "replica:1", "replica:2", "replica:3")
		cc := l.dial(t, newRetrier(t, readMethod, terms{}), balanced(l), grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}]}`))
		ready(t, cc)
		_, err := call(t.Context(), cc, readMethod)
		stopped(t, err, codes.Unavailable, retry.StopAttemptsExhausted, 3)
		failed := failure(t, err)
		endpoints := slices.Sorted(slices.Values(failed.Endpoints))
		if !slices.Equal(endpoints, []string{"replica:1", "replica:2", "replica:3"}) {
			t.Errorf("the attempts reached %q, want each replica once", failed.Endpoints)
		}
	})
}

// balanced gives a channel all replicas of a lab.
func balanced(l *lab) grpc.DialOption {
	var addresses []resolver.Address
	for at := range l.servers {
		addresses = append(addresses, resolver.Address{Addr: at})
	}
	r := manual.NewBuilderWithScheme("passthrough")
	r.InitialState(resolver.State{Addresses: addresses})
	return grpc.WithResolvers(r)
}

// ready waits until a channel has connected to all replicas.
func ready(t *testing.T, cc *grpc.ClientConn) {
	t.Helper()
	cc.Connect()
	synctest.Wait()
}

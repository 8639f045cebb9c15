package retry_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/interceptors/retry"
)

// BenchmarkSuccess is what the retrier costs a call that succeeds at once, over a bare invoker.
func BenchmarkSuccess(b *testing.B) {
	invoke := func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return nil }
	withDeadline, cancel := context.WithTimeout(b.Context(), time.Hour)
	defer cancel()
	options := []grpc.CallOption{grpc.StaticMethod()}
	r := retry.New()
	defer r.Close()
	innermost := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, opts ...grpc.CallOption) error {
		return attempt.UnaryClientInterceptor(ctx, method, req, reply, cc, invoke, opts...)
	}
	const undescribed = "/some.Service/Call"
	for _, bm := range []struct {
		name    string
		ctx     context.Context
		method  string
		invoker grpc.UnaryInvoker
	}{
		{"caller's deadline", withDeadline, undescribed, invoke},
		{"caller's deadline, wire record", withDeadline, undescribed, innermost},
		{"default deadline", context.Background(), undescribed, invoke},
		{"default deadline, wire record", context.Background(), undescribed, innermost},
		{"method's deadline and per-attempt timeout", context.Background(), readMethod, invoke},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := r.UnaryClientInterceptor(bm.ctx, bm.method, nil, nil, nil, bm.invoker, options...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("bare", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = invoke(withDeadline, undescribed, nil, nil, nil, options...)
		}
	})
}

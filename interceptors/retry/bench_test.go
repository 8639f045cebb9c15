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
	plain := retry.New()
	defer plain.Close()
	limited := newRetrier(b, readMethod, terms{deadline: 2 * time.Second, attempts: 3, perAttempt: 500 * time.Millisecond})
	innermost := func(
		ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, opts ...grpc.CallOption,
	) error {
		return attempt.UnaryClientInterceptor(ctx, method, req, reply, cc, invoke, opts...)
	}
	const undescribed = "/some.Service/Call"
	for _, bm := range []struct {
		name    string
		retrier *retry.Retrier
		ctx     context.Context
		method  string
		invoker grpc.UnaryInvoker
	}{
		{"caller's deadline", plain, withDeadline, undescribed, invoke},
		{"caller's deadline, wire record", plain, withDeadline, undescribed, innermost},
		{"default deadline", plain, context.Background(), undescribed, invoke},
		{"default deadline, wire record", plain, context.Background(), undescribed, innermost},
		{"method's deadline and per-attempt timeout", limited, context.Background(), readMethod, invoke},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				err := bm.retrier.UnaryClientInterceptor(bm.ctx, bm.method, nil, nil, nil, bm.invoker, options...)
				if err != nil {
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

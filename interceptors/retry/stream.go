package retry

import (
	"context"
	"slices"

	"google.golang.org/grpc"

	"github.com/parley-rpc/parley/attempt"
)

// StreamClientInterceptor starts a stream as the first attempt of its call. Streams are not retried, and their errors
// are left as they are. A deadline that the method itself states ends the stream with DEADLINE_EXCEEDED.
func (r *Retrier) StreamClientInterceptor(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	m, err := r.method(method)
	if err != nil {
		return nil, err
	}
	if !m.deadline.Stated() {
		ctx, _ = attempt.NewContext(ctx, 1, false, nil)
		return streamer(ctx, desc, cc, method, opts...)
	}
	ctx, cancel := context.WithTimeout(ctx, m.deadline.Value)
	ctx, _ = attempt.NewContext(ctx, 1, false, nil)
	// The stream owns the timer from here on: gRPC calls OnFinish whenever it has begun a stream.
	opts = append(slices.Clip(opts), grpc.OnFinish(func(error) { cancel() }))
	stream, err := streamer(ctx, desc, cc, method, opts...)
	if err != nil {
		cancel()
		return nil, err
	}
	return stream, nil
}

package framework

import (
	"context"

	"google.golang.org/grpc"
)

// A layer puts an interceptor around what comes next in the chain of a client.
type (
	unaryLayer  func(next grpc.UnaryInvoker) grpc.UnaryInvoker
	streamLayer func(next grpc.Streamer) grpc.Streamer
)

// A method is an interceptor as an expression, (*T).Interceptor. As a value, t.Interceptor, it would bring a second frame into the
// stack of each call, which the garbage collector walks while the call waits, and which makes that stack grow once more.
// BenchmarkClientChain is what that costs.
type (
	unaryMethod[T any] func(self T, ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
		invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error
	streamMethod[T any] func(self T, ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string,
		streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error)
)

func layerOfUnary[T any](self T, interceptor unaryMethod[T]) unaryLayer {
	return func(next grpc.UnaryInvoker) grpc.UnaryInvoker {
		return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, opts ...grpc.CallOption) error {
			return interceptor(self, ctx, method, req, reply, cc, next, opts...)
		}
	}
}

func layerOfStream[T any](self T, interceptor streamMethod[T]) streamLayer {
	return func(next grpc.Streamer) grpc.Streamer {
		return func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			return interceptor(self, ctx, desc, cc, method, next, opts...)
		}
	}
}

// callUnary calls the interceptor that it is given.
func callUnary(self grpc.UnaryClientInterceptor, ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return self(ctx, method, req, reply, cc, invoker, opts...)
}

// callStream calls the interceptor that it is given.
func callStream(self grpc.StreamClientInterceptor, ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return self(ctx, desc, cc, method, streamer, opts...)
}

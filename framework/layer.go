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

func layerOfUnary(interceptor grpc.UnaryClientInterceptor) unaryLayer {
	return func(next grpc.UnaryInvoker) grpc.UnaryInvoker {
		return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, opts ...grpc.CallOption) error {
			return interceptor(ctx, method, req, reply, cc, next, opts...)
		}
	}
}

func layerOfStream(interceptor grpc.StreamClientInterceptor) streamLayer {
	return func(next grpc.Streamer) grpc.Streamer {
		return func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			return interceptor(ctx, desc, cc, method, next, opts...)
		}
	}
}

// The interceptors of our own are named as expressions, (*T).Interceptor. As values, t.Interceptor, they would bring a frame more
// each into the stack of every call, which the garbage collector walks while the call waits. That is a hundredth of what a plain
// call costs (see bench/README.md).
type (
	unaryMethod[T any] func(self T, ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
		invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error
	streamMethod[T any] func(self T, ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string,
		streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error)
)

func layerOfUnaryMethod[T any](self T, interceptor unaryMethod[T]) unaryLayer {
	return func(next grpc.UnaryInvoker) grpc.UnaryInvoker {
		return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, opts ...grpc.CallOption) error {
			return interceptor(self, ctx, method, req, reply, cc, next, opts...)
		}
	}
}

func layerOfStreamMethod[T any](self T, interceptor streamMethod[T]) streamLayer {
	return func(next grpc.Streamer) grpc.Streamer {
		return func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			return interceptor(self, ctx, desc, cc, method, next, opts...)
		}
	}
}

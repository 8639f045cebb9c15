package framework

import (
	"context"

	"google.golang.org/grpc"
)

// linkUnary makes one interceptor of the steps, which stand outside of the user's interceptors.
//
// gRPC would make a handler for each interceptor of each call. Each of ours calls its handler once, on its own
// goroutine, so here one handler serves them all: it knows how far the call has come. BenchmarkServerChain is what this
// saves. The user's interceptors may call theirs as they like, and so are left to gRPC's way.
func linkUnary(steps []serverStep) grpc.UnaryServerInterceptor {
	var chain []grpc.UnaryServerInterceptor
	for _, step := range steps {
		chain = append(chain, step.unary...)
	}
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		c := &unaryCall{left: chain, info: info, handler: handler}
		c.next = c.proceed
		return c.next(ctx, req)
	}
}

// unaryCall is one call on its way through the chain.
type unaryCall struct {
	left    []grpc.UnaryServerInterceptor
	info    *grpc.UnaryServerInfo
	handler grpc.UnaryHandler
	next    grpc.UnaryHandler // proceed
}

func (c *unaryCall) proceed(ctx context.Context, req any) (any, error) {
	if len(c.left) == 0 {
		return c.handler(ctx, req)
	}
	interceptor := c.left[0]
	c.left = c.left[1:]
	return interceptor(ctx, req, c.info, c.next)
}

package framework

import (
	"context"
	"sync"

	"google.golang.org/grpc"
)

// linkUnary makes one interceptor of the steps, which stand outside of the user's interceptors.
//
// gRPC would make a handler for each interceptor of each call. Each of ours calls its handler at most once, on its own
// goroutine, and returns after it, so here one handler serves them all: it knows how far the call has come, and serves
// another call afterwards. BenchmarkServerChain is what this saves. The user's interceptors may call theirs as they like,
// and so are left to gRPC's way.
func linkUnary(steps []serverStep) grpc.UnaryServerInterceptor {
	var chain []grpc.UnaryServerInterceptor
	for _, step := range steps {
		chain = append(chain, step.unary...)
	}
	idle := sync.Pool{New: func() any {
		c := &unaryCall{chain: chain}
		c.next = c.proceed
		return c
	}}
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		c := idle.Get().(*unaryCall)
		c.at, c.info, c.handler = 0, info, handler
		reply, err := c.proceed(ctx, req)
		// A panic that comes this far takes its call along.
		c.info, c.handler = nil, nil
		idle.Put(c)
		return reply, err
	}
}

// unaryCall is one call on its way through the chain.
type unaryCall struct {
	chain   []grpc.UnaryServerInterceptor
	at      int // in the chain
	info    *grpc.UnaryServerInfo
	handler grpc.UnaryHandler
	next    grpc.UnaryHandler // proceed
}

func (c *unaryCall) proceed(ctx context.Context, req any) (any, error) {
	if c.at == len(c.chain) {
		return c.handler(ctx, req)
	}
	interceptor := c.chain[c.at]
	c.at++
	return interceptor(ctx, req, c.info, c.next)
}

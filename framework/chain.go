package framework

import (
	"context"
	"slices"

	"google.golang.org/grpc"

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/interceptors/tracing"
)

// step is one step of a chain: its name, and its interceptors for unary calls and for streams.
type step[U, S any] struct {
	name   string
	unary  []U
	stream []S
}

type (
	clientStep = step[unaryLayer, streamLayer]
	serverStep = step[grpc.UnaryServerInterceptor, grpc.StreamServerInterceptor]
)

// clientAt returns a step of Parley's own: self, and the methods of self that are its interceptors.
func clientAt[T any](name string, self T, unary unaryMethod[T], stream streamMethod[T]) clientStep {
	return clientStep{
		name,
		[]unaryLayer{layerOfUnaryMethod(self, unary)},
		[]streamLayer{layerOfStreamMethod(self, stream)},
	}
}

// clientStepOf returns a step with interceptors that are plain functions, such as the user's.
func clientStepOf(name string, unary []grpc.UnaryClientInterceptor, stream []grpc.StreamClientInterceptor) clientStep {
	s := clientStep{name: name}
	for _, interceptor := range unary {
		s.unary = append(s.unary, layerOfUnary(interceptor))
	}
	for _, interceptor := range stream {
		s.stream = append(s.stream, layerOfStream(interceptor))
	}
	return s
}

// chain returns the client's chain, from outside to inside.
func (c *Client) chain(ch *channel) []clientStep {
	tracer := c.app.parts.tracer
	innermost := clientStepOf("wire record",
		[]grpc.UnaryClientInterceptor{attempt.UnaryClientInterceptor},
		[]grpc.StreamClientInterceptor{attempt.StreamClientInterceptor})
	if ch.auth != nil {
		innermost = clientAt("auth", ch.auth, (*auth.Channel).UnaryClientInterceptor, (*auth.Channel).StreamClientInterceptor)
		if ch.auth.Within(c.app.parts.domain) {
			// Forward sends the transaction token, which must not leave the trust domain.
			users := clientAt("", auth.Forward(),
				(*auth.Forwarder).UnaryClientInterceptor, (*auth.Forwarder).StreamClientInterceptor)
			innermost.unary = append(users.unary, innermost.unary...)
			innermost.stream = append(users.stream, innermost.stream...)
		}
	}
	return []clientStep{
		clientAt("call span", tracer, (*tracing.Tracer).UnaryCallInterceptor, (*tracing.Tracer).StreamCallInterceptor),
		clientStepOf("[Call]", c.callUnary, c.callStream),
		clientAt("deadline, retry", ch.retrier,
			(*retry.Retrier).UnaryClientInterceptor, (*retry.Retrier).StreamClientInterceptor),
		clientAt("attempt span", tracer,
			(*tracing.Tracer).UnaryAttemptInterceptor, (*tracing.Tracer).StreamAttemptInterceptor),
		clientStepOf("[Attempt]", c.attemptUnary, c.attemptStream),
		innermost,
	}
}

// link joins the steps once, so that a call does not allocate closures.
func (ch *channel) link(steps []clientStep) {
	ch.unary = func(
		ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, opts ...grpc.CallOption,
	) error {
		return cc.Invoke(ctx, method, req, reply, opts...)
	}
	ch.stream = func(
		ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, opts ...grpc.CallOption,
	) (grpc.ClientStream, error) {
		return cc.NewStream(ctx, desc, method, opts...)
	}
	for _, step := range slices.Backward(steps) {
		for _, outside := range slices.Backward(step.unary) {
			ch.unary = outside(ch.unary)
		}
		for _, outside := range slices.Backward(step.stream) {
			ch.stream = outside(ch.stream)
		}
	}
}

// These types wrap the rest of a client's chain in an interceptor.
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
		return func(
			ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, opts ...grpc.CallOption,
		) (grpc.ClientStream, error) {
			return interceptor(ctx, desc, cc, method, next, opts...)
		}
	}
}

// Parley's own interceptors are stored as method expressions, (*T).Interceptor. A method value, t.Interceptor, would
// add a frame to the stack of every call, which the garbage collector scans while the call waits. That would cost a
// hundredth of a plain call (see bench/README.md).
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
		return func(
			ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, opts ...grpc.CallOption,
		) (grpc.ClientStream, error) {
			return interceptor(self, ctx, desc, cc, method, next, opts...)
		}
	}
}

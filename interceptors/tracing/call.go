package tracing

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"google.golang.org/grpc"

	"github.com/parley-rpc/parley/internal/vocabulary"
)

// callContext is the context of a call that follows its attempts: a recorded call, or a stream.
type callContext struct {
	context.Context
	attempts atomic.Int64
	stream   *lifetime // nil: unary
}

type callKey struct{}

func (c *callContext) Value(key any) any {
	if key == (callKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// callFrom returns the call of ctx, or nil if the call does not follow its attempts.
func callFrom(ctx context.Context) *callContext {
	c, _ := ctx.Value(callKey{}).(*callContext)
	return c
}

// UnaryCallInterceptor traces and measures a call with all its attempts. It must be the outermost interceptor.
func (t *Tracer) UnaryCallInterceptor(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
	invoker grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	if t.off() {
		return invoker(ctx, method, req, reply, cc, opts...)
	}
	m := t.clientMethod(cc, method, opts)
	if m.silent {
		return invoker(ctx, method, req, reply, cc, opts...)
	}
	o := t.startCall(ctx, m, method)
	err := error(unwound{})
	if o.span == nil {
		defer func() { o.end(err) }()
		err = invoker(o.ctx, method, req, reply, cc, opts...)
		return err
	}
	call := &callContext{Context: o.ctx}
	defer func() { o.end(err, attribute.Int64(vocabulary.AttrAttempts, call.attempts.Load())) }()
	err = invoker(call, method, req, reply, cc, opts...)
	return err
}

// startCall starts the span and the clock of a call.
func (t *Tracer) startCall(ctx context.Context, m *clientMethod, method string) operation {
	o := operation{results: &m.calls}
	o.ctx, o.span = t.start(ctx, &m.call, nil)
	if o.span != nil && m.unknown {
		o.span.SetAttributes(attribute.String(vocabulary.AttrMethodOriginal, method))
	}
	if t.instruments != nil {
		o.time(t, t.instruments.callDuration)
	}
	return o
}

package tracing

import (
	"context"
	"errors"
	"io"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"google.golang.org/grpc"

	"github.com/parley-rpc/parley/internal/vocabulary"
)

// StreamCallInterceptor is like [Tracer.UnaryCallInterceptor], for streams. The call ends when the stream ends: when
// receiving returns an error or io.EOF, or after the single response of a client stream. If no goroutine receives, it
// ends when its context ends or its connection is closed.
func (t *Tracer) StreamCallInterceptor(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string,
	streamer grpc.Streamer, opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	if t.off() {
		return streamer(ctx, desc, cc, method, opts...)
	}
	m := t.clientMethod(cc, method, opts)
	if m.silent {
		return streamer(ctx, desc, cc, method, opts...)
	}
	o := t.startCall(ctx, m, method)
	if !o.kept() {
		return streamer(o.ctx, desc, cc, method, opts...)
	}
	call := &callContext{Context: o.ctx, stream: new(lifetime)}
	var unwatch func() bool
	call.stream.finish = func(err error, _ bool) {
		unwatch()
		o.end(err, attribute.Int64(vocabulary.AttrAttempts, call.attempts.Load()))
	}
	call.stream.enter()
	unwatch = context.AfterFunc(ctx, func() { call.stream.die(ctx.Err()) })
	return call.stream.open(desc, func() (grpc.ClientStream, error) {
		return streamer(call, desc, cc, method, opts...)
	})
}

// StreamAttemptInterceptor is like [Tracer.UnaryAttemptInterceptor], for streams.
func (t *Tracer) StreamAttemptInterceptor(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn,
	method string, streamer grpc.Streamer, opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	m := t.clientMethod(cc, method, opts)
	if m.silent {
		return streamer(ctx, desc, cc, method, opts...)
	}
	a := t.startAttempt(ctx, m, method)
	if !a.kept() {
		return streamer(a.ctx, desc, cc, method, t.lookOut(m, cc, opts)...)
	}
	var call *lifetime
	if c := callFrom(ctx); c != nil && c.stream != nil {
		call = c.stream
		call.attemptBegan()
	}
	life := &lifetime{finish: func(err error, died bool) {
		a.finish(err)
		if call != nil {
			call.attemptEnded(err, died)
		}
	}}
	life.enter()
	// gRPC itself reports the end of a stream from which no goroutine receives.
	opts = append(slices.Clip(t.lookOut(m, cc, opts)), grpc.OnFinish(life.die))
	return life.open(desc, func() (grpc.ClientStream, error) {
		return streamer(a.ctx, desc, cc, method, opts...)
	})
}

// clientStream is a stream whose end is watched.
type clientStream struct {
	grpc.ClientStream
	life   *lifetime
	single bool // the stream has only one response
}

func (s *clientStream) RecvMsg(m any) error {
	s.life.enter()
	err := s.ClientStream.RecvMsg(m)
	if errors.Is(err, io.EOF) {
		s.life.leave(true, nil)
	} else {
		s.life.leave(err != nil || s.single, err)
	}
	return err
}

// SendMsg ends the stream if it fails on this side. The end by the server is received, not sent.
func (s *clientStream) SendMsg(m any) error {
	err := s.ClientStream.SendMsg(m)
	if err != nil && !errors.Is(err, io.EOF) {
		s.life.die(err)
	}
	return err
}

package retrytest_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/interceptors/retry/retrytest"
)

// Retriers that are broken, each in one way, and a case that must reject it.
func TestMutantsAreRejected(t *testing.T) {
	for _, mutant := range []struct {
		name    string
		subject retrytest.Subject
		by      string // the beginning of the name of a case
	}{
		{"no retrier at all", func(retrytest.Terms) ([]grpc.DialOption, func()) {
			return []grpc.DialOption{grpc.WithDisableRetry()}, func() {}
		}, "36 the number of attempts"},
		{"waits without looking at the deadline", naive, "01"},
		{"has no timeout for an attempt", with(func(t *retrytest.Terms) { t.PerAttempt = 0 }), "03"},
		{"cuts the last attempt too", inside(cutting()), "04 the last"},
		{"cuts what must not be repeated", inside(cutting()), "04 an attempt"},
		{"cuts a single attempt", inside(cutting()), "04 a single"},
		{"cuts a stream that is begun once", cuttingStreams, "04 a stream"},
		{"sleeps when the caller has gone", naive, "05"},
		{"sleeps when the channel is closed", naive, "06"},
		{"is deaf to pushbacks that forbid", inside(deaf), "07"},
		{"is deaf to pushbacks that delay", inside(deaf), "08"},
		{"overlooks unreadable pushbacks", inside(deaf), "11 a pushback"},
		{"takes one of two pushbacks", inside(deaf), "11 two"},
		{"overlooks a pushback beyond the deadline", inside(deaf), "12"},
		{"overlooks RetryInfo", inside(bare), "09"},
		{"takes every RESOURCE_EXHAUSTED for an outage", inside(renaming(codes.ResourceExhausted, codes.Unavailable)), "10"},
		{"replays what was delivered", replaying, "13"},
		{"does not try streams again", onlyUnary, "14"},
		{"has no timeout for the first message", with(func(t *retrytest.Terms) { t.PerAttempt = 0 }), "15"},
		{"fails streams of the client", refusingUploads, "16 a stream of the client works"},
		{"does not send again what the client sent", onlyUnary, "16 a stream of the client is sent again"},
		{"fails what is too long to be kept", refusingUploads, "17"},
		{"repeats what must not be repeated", inside(claimingUnprocessed), "19 what"},
		{"takes its timeouts for a proof that nothing was done", inside(cuttingAndClaiming), "19 not even"},
		{"has no budget", options(retry.WithBudget(retry.Budget{Ratio: 1, Max: 1e6})), "25"},
		{"replaces the status when the budget is empty", outside(renaming(codes.Unavailable, codes.Unknown)), "25"},
		{"does not jitter", options(retry.WithRandom(func() float64 { return 0.999 })), "32"},
		{"counts retries instead of attempts", with(func(t *retrytest.Terms) { t.MaxAttempts++ }), "36 the number"},
		{"retries where one attempt was asked for", with(func(t *retrytest.Terms) { t.MaxAttempts++ }), "36 one"},
		{"takes a status of the server for its own timeout", inside(renaming(codes.Canceled, codes.Unavailable)), "35"},
		{"multiplies with another retrier", twice, "36 the number"},
		{"says nothing to the server", inside(silent), "38"},
		{"finishes each attempt", naive, "39"},
	} {
		t.Run(mutant.name, func(t *testing.T) {
			for _, c := range retrytest.Cases() {
				if !strings.HasPrefix(c.Name, mutant.by) {
					continue
				}
				var err error
				synctest.Test(t, func(*testing.T) { err = c.Check(mutant.subject) })
				if err == nil {
					t.Errorf("the case %q lets it pass", c.Name)
				}
				return
			}
			t.Fatalf("there is no case %q", mutant.by)
		})
	}
}

// with changes the terms.
func with(change func(*retrytest.Terms)) retrytest.Subject {
	return func(terms retrytest.Terms) ([]grpc.DialOption, func()) {
		change(&terms)
		return parley(terms)
	}
}

func options(opts ...retry.Option) retrytest.Subject {
	return func(terms retrytest.Terms) ([]grpc.DialOption, func()) {
		r := ours(terms, opts...)
		return r.DialOptions(), func() { _ = r.Close() }
	}
}

// inside puts an interceptor around each attempt.
func inside(i grpc.UnaryClientInterceptor) retrytest.Subject {
	return func(terms retrytest.Terms) ([]grpc.DialOption, func()) {
		r := ours(terms)
		return []grpc.DialOption{grpc.WithDisableRetry(), grpc.WithChainUnaryInterceptor(r.UnaryClientInterceptor, i, attempt.UnaryClientInterceptor)}, func() { _ = r.Close() }
	}
}

// outside puts an interceptor around each call.
func outside(i grpc.UnaryClientInterceptor) retrytest.Subject {
	return func(terms retrytest.Terms) ([]grpc.DialOption, func()) {
		r := ours(terms)
		return append([]grpc.DialOption{grpc.WithChainUnaryInterceptor(i)}, r.DialOptions()...), func() { _ = r.Close() }
	}
}

func twice(terms retrytest.Terms) ([]grpc.DialOption, func()) {
	outer, stopOuter := naive(terms)
	inner, stopInner := parley(terms)
	return append(outer, inner...), func() {
		stopOuter()
		stopInner()
	}
}

// trailers are the options of an attempt that the retrier reads.
func trailers(opts []grpc.CallOption, change func(metadata.MD)) {
	for _, o := range opts {
		if o, ok := o.(grpc.TrailerCallOption); ok {
			change(*o.TrailerAddr)
		}
	}
}

func deaf(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	err := invoker(ctx, method, req, reply, cc, opts...)
	trailers(opts, func(md metadata.MD) { md.Delete("grpc-retry-pushback-ms") })
	return err
}

func bare(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	err := invoker(ctx, method, req, reply, cc, opts...)
	if err == nil {
		return nil
	}
	return status.Error(status.Code(err), status.Convert(err).Message())
}

func renaming(from, to codes.Code) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		err := invoker(ctx, method, req, reply, cc, opts...)
		if status.Code(err) == from {
			return status.Error(to, status.Convert(err).Message())
		}
		return err
	}
}

// cutting ends an attempt after 100 ms.
func cutting() grpc.UnaryClientInterceptor {
	return func(
		ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker,
		opts ...grpc.CallOption,
	) error {
		ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		return invoker(ctx, method, req, reply, cc, opts...)
	}
}

// cuttingStreams ends every stream, and tries none again.
func cuttingStreams(terms retrytest.Terms) ([]grpc.DialOption, func()) {
	return []grpc.DialOption{grpc.WithChainStreamInterceptor(
		func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			ctx, cancel := context.WithTimeout(ctx, terms.PerAttempt)
			stream, err := streamer(ctx, desc, cc, method, opts...)
			context.AfterFunc(ctx, cancel)
			return stream, err
		})}, func() {}
}

// claimingUnprocessed tells the retrier that no handler ever ran.
func claimingUnprocessed(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	err := invoker(ctx, method, req, reply, cc, opts...)
	for _, o := range opts {
		if o, ok := o.(grpc.TrailerCallOption); ok {
			*o.TrailerAddr = metadata.Join(*o.TrailerAddr, metadata.Pairs("parley-unprocessed", "1"))
		}
	}
	return err
}

// cuttingAndClaiming ends each attempt early, and tells the retrier that no handler ever ran.
func cuttingAndClaiming(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	cut := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, opts ...grpc.CallOption) error {
		return cutting()(ctx, method, req, reply, cc, invoker, opts...)
	}
	named := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, opts ...grpc.CallOption) error {
		return renaming(codes.DeadlineExceeded, codes.Unavailable)(ctx, method, req, reply, cc, cut, opts...)
	}
	return claimingUnprocessed(ctx, method, req, reply, cc, named, opts...)
}

func silent(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	md, _ := metadata.FromOutgoingContext(ctx)
	md.Delete("grpc-previous-rpc-attempts")
	return invoker(metadata.NewOutgoingContext(ctx, md), method, req, reply, cc, opts...)
}

// naive is the retrier that everybody has written once.
func naive(terms retrytest.Terms) ([]grpc.DialOption, func()) {
	return []grpc.DialOption{grpc.WithDisableRetry(), grpc.WithChainUnaryInterceptor(
		func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			wait := terms.Backoff
			for n := 1; ; n++ {
				err := invoker(ctx, method, req, reply, cc, opts...)
				if status.Code(err) != codes.Unavailable || n >= terms.MaxAttempts {
					return err
				}
				time.Sleep(wait)
				wait = min(2*wait, terms.MaxBackoff)
			}
		})}, func() {}
}

// replaying starts a stream again wherever it fails.
func replaying(terms retrytest.Terms) ([]grpc.DialOption, func()) {
	return []grpc.DialOption{grpc.WithDisableRetry(), grpc.WithChainStreamInterceptor(
		func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			start := func() (grpc.ClientStream, error) { return streamer(ctx, desc, cc, method, opts...) }
			stream, err := start()
			return &replayed{ClientStream: stream, start: start, left: terms.MaxAttempts - 1}, err
		})}, func() {}
}

type replayed struct {
	grpc.ClientStream
	start func() (grpc.ClientStream, error)
	sent  any
	left  int
}

func (r *replayed) SendMsg(m any) error {
	r.sent = m
	return r.ClientStream.SendMsg(m)
}

func (r *replayed) RecvMsg(m any) error {
	err := r.ClientStream.RecvMsg(m)
	if err == nil || errors.Is(err, io.EOF) || r.left == 0 {
		return err
	}
	r.left--
	stream, err := r.start()
	if err != nil {
		return err
	}
	r.ClientStream = stream
	if err := errors.Join(stream.SendMsg(r.sent), stream.CloseSend()); err != nil {
		return err
	}
	return r.RecvMsg(m)
}

// onlyUnary leaves streams alone.
func onlyUnary(terms retrytest.Terms) ([]grpc.DialOption, func()) {
	r := ours(terms)
	return []grpc.DialOption{grpc.WithDisableRetry(), grpc.WithChainUnaryInterceptor(r.UnaryClientInterceptor)}, func() { _ = r.Close() }
}

func refusingUploads(retrytest.Terms) ([]grpc.DialOption, func()) {
	return []grpc.DialOption{grpc.WithChainStreamInterceptor(
		func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			if desc.ClientStreams {
				return nil, status.Error(codes.Unimplemented, "cannot retry on ClientStreams")
			}
			return streamer(ctx, desc, cc, method, opts...)
		})}, func() {}
}

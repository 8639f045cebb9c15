package retry

import (
	"context"
	"errors"
	"slices"
	"strings"

	"google.golang.org/grpc"

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/internal/contextkey"
	"github.com/parley-rpc/parley/internal/vocabulary"
	"github.com/parley-rpc/parley/rpcerr"
)

// UnaryServerInterceptor keeps retries from multiplying along a chain of services. A request that is itself a retry or
// a hedge (it carries grpc-previous-rpc-attempts) marks the handler's context. Calls that a Retrier makes on such a
// context have one attempt only, and carry the mark on. When the handler returns an error that came out of a call which
// has given up, or would not be retried for that mark, the answer carries the trailer grpc-retry-pushback-ms: -1, and
// no caller above tries again (gRFC A6).
//
// With n attempts for each call, the last of any number of services so sees n attempts of one call of the first. A
// handler that makes a new error of the call's, and does not wrap it, gives no such answer, and its callers go on:
// where all handlers of h hops do that, the last service sees 1 + h(n-1) attempts, 16 with four attempts and five hops.
//
// It belongs inside of everything that turns a handler's errors into statuses.
func UnaryServerInterceptor(
	ctx context.Context,
	req any,
	_ *grpc.UnaryServerInfo,
	handler grpc.UnaryHandler,
) (any, error) {
	reply, err := handler(markRepeated(ctx), req)
	giveUp(ctx, err)
	return reply, err
}

// StreamServerInterceptor is [UnaryServerInterceptor] for streams.
func StreamServerInterceptor(
	srv any,
	stream grpc.ServerStream,
	_ *grpc.StreamServerInfo,
	handler grpc.StreamHandler,
) error {
	ctx, inner := stream.Context(), stream
	if marked := markRepeated(ctx); marked != ctx {
		inner = &repeatedStream{stream, marked}
	}
	err := handler(srv, inner)
	giveUp(ctx, err)
	return err
}

// WithoutChainGuard retries calls of the methods ("/pkg.Service/Method") even while the caller above is itself
// retrying, and of all methods if none is named. Attempts then multiply with each such hop.
func WithoutChainGuard(methods ...string) Option {
	return option{"retry.WithoutChainGuard(" + strings.Join(methods, ", ") + ")", func(c *config) {
		c.settings.unguarded = append(c.settings.unguarded, methods...)
		c.settings.guardOff = c.settings.guardOff || len(methods) == 0
	}}
}

func (e *settings) unguards(method string) bool {
	return e.guardOff || slices.Contains(e.unguarded, method)
}

type repeatedStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *repeatedStream) Context() context.Context { return s.ctx }

type repeatedKey struct{}

// markRepeated returns ctx itself if the request is a first attempt. A number that cannot be read is taken for
// one, because the harm of a retry that is left out is the smaller one.
func markRepeated(ctx context.Context) context.Context {
	for _, number := range contextkey.Received(ctx, previousAttemptsKey) {
		if number != "0" {
			return context.WithValue(ctx, repeatedKey{}, true)
		}
	}
	return ctx
}

// repeated reports whether something above is trying again already: a service that called this one, or a call or [Do]
// of this process within which ctx is used.
func repeated(ctx context.Context) bool {
	return ctx.Value(repeatedKey{}) != nil || attempt.FromContext(ctx).Number() > 1
}

func giveUp(ctx context.Context, err error) {
	if err != nil && gaveUp(err) {
		_ = rpcerr.SetPushback(ctx, -1) // fails only if the answer has already been sent
	}
}

// gaveUp reports whether err came out of a call that another attempt from above could only multiply. A call that was
// allowed one attempt has not tried again, and leaves that to those above.
func gaveUp(err error) bool {
	failed, ok := errors.AsType[*Error](err)
	if !ok {
		return false
	}
	reason, _ := vocabulary.StopReasonOf(string(failed.Reason))
	return reason.GaveUp && (failed.Reason != StopAttemptsExhausted || failed.Attempts > 1)
}

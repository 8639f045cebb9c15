// Package attempt has the data of one attempt of an RPC: its number, whether it is a hedge, the endpoints of earlier
// attempts of the same call, its own endpoint, and, after it has ended, the endpoint that it reached.
//
// The attempt is in the context of the call. Package retry makes one for each attempt. Tracing reads its number. The
// picker reads the endpoints to avoid and records its choice. The innermost interceptor runs the attempt with
// [Attempt.Invoke] or [Attempt.NewStream], so that retry learns whether a failed attempt was sent.
package attempt

import (
	"context"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// Attempt is one attempt of a call. [Attempt.Number], [Attempt.Hedge] and [Attempt.Tried] never change and may be read
// from any goroutine. [Attempt.Choice] is known while the attempt is in flight, if the channel's balancing policy
// records it. [Attempt.Endpoint] and [Attempt.NeverSent] are valid after the attempt has ended, on the goroutine that
// saw it end.
//
// A nil *Attempt is the first and only attempt of a call that is not retried.
type Attempt struct {
	tried  []string
	number int32

	runs  int32 // by the outermost interceptor that records the attempt
	inner int32 // by those inside of it
	peer  peer.Peer
	room  [4]grpc.CallOption // for the options of the first run, so that most attempts need no further memory

	choice atomic.Pointer[Choice]
	chosen func(Choice) // nil if nothing waits for it

	renewable atomic.Bool
	nowhere   atomic.Bool
	expired   atomic.Bool
	left      atomic.Bool

	hedge          bool
	renewed        bool
	followsRenewal bool
	hurried        bool
	listens        bool // EndOnSilence was called

	in             bool // in, silenced, end, next and previous are under the lock of waiting
	silenced       bool
	end            context.CancelFunc // nil once called
	next, previous *Attempt
	waiting        atomic.Pointer[Waiting] // of the endpoint
	endBy          time.Time
}

// attemptContext holds the attempt inside the context that carries it: one allocation for both.
type attemptContext struct {
	context.Context
	attempt Attempt
}

type contextKey struct{}

func (c *attemptContext) Value(key any) any {
	if key == (contextKey{}) {
		return &c.attempt
	}
	return c.Context.Value(key)
}

// NewContext returns a context for attempt number of a call, counted from 1, and the attempt that it carries. Tried
// lists the endpoints of earlier attempts: the endpoint of [Attempt.Choice], or else [Attempt.Endpoint]. It must not be
// modified afterwards.
func NewContext(ctx context.Context, number int, hedge bool, tried []string) (context.Context, *Attempt) {
	c := &attemptContext{Context: ctx}
	c.attempt.number = int32(number) //nolint:gosec // a call has few attempts
	c.attempt.hedge, c.attempt.tried = hedge, tried
	return c, &c.attempt
}

// FromContext returns the attempt in ctx, or nil if there is none.
func FromContext(ctx context.Context) *Attempt {
	a, _ := ctx.Value(contextKey{}).(*Attempt)
	return a
}

// Ensure returns the attempt in ctx, or adds a first attempt to a context derived from it.
func Ensure(ctx context.Context) (context.Context, *Attempt) {
	if a := FromContext(ctx); a != nil {
		return ctx, a
	}
	return NewContext(ctx, 1, false, nil)
}

// Number returns the number of the attempt within its call, counted from 1.
func (a *Attempt) Number() int {
	if a == nil {
		return 1
	}
	return int(a.number)
}

// Hedge reports whether the attempt was sent while another attempt of the same call was in flight.
func (a *Attempt) Hedge() bool { return a != nil && a.hedge }

// Tried returns the endpoints of earlier attempts of the call. The caller must not modify it.
func (a *Attempt) Tried() []string {
	if a == nil {
		return nil
	}
	return a.tried
}

// Endpoint returns the address that the attempt reached ("10.0.0.7:8443"), or "" if it reached none or has not ended.
func (a *Attempt) Endpoint() string {
	if addr := a.Address(); addr != nil {
		return addr.String()
	}
	return ""
}

// Address returns [Attempt.Endpoint] as the address of the connection, or nil.
func (a *Attempt) Address() net.Addr {
	if a == nil {
		return nil
	}
	return a.peer.Addr
}

// NeverSent reports whether it is certain that no byte of the attempt reached a server, so that even a call that must
// not be repeated may be retried. It is certain if the attempt went exactly once through [Attempt.Invoke] or
// [Attempt.NewStream], or once through two of them nested, and gRPC then reported no peer. Otherwise the attempt may
// have been sent.
func (a *Attempt) NeverSent() bool {
	return a != nil && a.runs == 1 && a.inner <= 1 && a.peer.Addr == nil
}

// Invoke runs a unary attempt on the wire and records the endpoint that it reached. It is for the innermost interceptor
// of a channel. If two packages of Parley each have such an interceptor, the calls nest. On a nil Attempt it only calls
// invoker.
func (a *Attempt) Invoke(
	ctx context.Context,
	method string,
	req, reply any,
	cc *grpc.ClientConn,
	invoker grpc.UnaryInvoker,
	opts ...grpc.CallOption,
) error {
	return a.outcome(invoker(ctx, method, req, reply, cc, a.record(opts)...))
}

// NewStream is like [Attempt.Invoke], for a stream. The endpoint of a stream is known after the stream has ended.
func (a *Attempt) NewStream(
	ctx context.Context,
	desc *grpc.StreamDesc,
	cc *grpc.ClientConn,
	method string,
	streamer grpc.Streamer,
	opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	return streamer(ctx, desc, cc, method, a.record(opts)...)
}

// errExpired is the error of an attempt whose per-attempt timeout has passed.
var errExpired = status.Error(codes.DeadlineExceeded, "the per-attempt timeout has passed")

// Expire ends the attempt with cancel, the function that cancels its context, because its per-attempt timeout has
// passed. [Attempt.Invoke] then returns DEADLINE_EXCEEDED, so that the interceptors around it see a timeout instead of
// a cancellation by the caller. It is for package retry, and may be called on any goroutine.
func (a *Attempt) Expire(cancel context.CancelFunc) {
	a.expired.Store(true)
	cancel()
}

// outcome returns the error of a unary attempt for its interceptors.
func (a *Attempt) outcome(err error) error {
	if err != nil && a != nil && a.expired.Load() && status.Code(err) == codes.Canceled {
		return errExpired
	}
	return err
}

// record counts a run and adds the option that records the reached endpoint. A run inside of another run finds that
// option and is counted separately, because an interceptor between the two could have repeated the attempt. It returns
// a copy, so that the options of its caller can be on the stack.
func (a *Attempt) record(opts []grpc.CallOption) []grpc.CallOption {
	if a == nil {
		return slices.Clone(opts)
	}
	for _, o := range opts {
		if p, ok := o.(grpc.PeerCallOption); ok && p.PeerAddr == &a.peer {
			a.inner++
			return slices.Clone(opts)
		}
	}
	a.runs++
	room := a.room[:0]
	if a.runs > 1 { // an earlier run may still read what is in the room
		room = nil
	}
	return slices.Clip(append(append(room, opts...), grpc.Peer(&a.peer)))
}

// UnaryClientInterceptor runs each attempt on the wire. It must be the innermost interceptor of a channel without
// another innermost interceptor of Parley.
func UnaryClientInterceptor(
	ctx context.Context,
	method string,
	req, reply any,
	cc *grpc.ClientConn,
	invoker grpc.UnaryInvoker,
	opts ...grpc.CallOption,
) error {
	return FromContext(ctx).Invoke(ctx, method, req, reply, cc, invoker, opts...)
}

// StreamClientInterceptor is like [UnaryClientInterceptor], for streams.
func StreamClientInterceptor(
	ctx context.Context,
	desc *grpc.StreamDesc,
	cc *grpc.ClientConn,
	method string,
	streamer grpc.Streamer,
	opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	return FromContext(ctx).NewStream(ctx, desc, cc, method, streamer, opts...)
}

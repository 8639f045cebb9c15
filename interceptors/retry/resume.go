package retry

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// Resume opens a server stream that goes on where it broke off. Open makes the call, in the words of the generated
// code, and says how it continues after the last message that the stream has delivered: last, which is nil at first. It
// must use the context that it is given, on a channel of a [Retrier]; on any other, nothing is resumed.
//
//	type stream = grpc.ServerStreamingClient[logv1.Entry]
//	entries, err := retry.Resume(ctx, func(ctx context.Context, last *logv1.Entry) (stream, error) {
//		return logs.Follow(ctx, &logv1.FollowRequest{After: last.GetNumber()})
//	})
//
// When the stream fails after it has delivered something, the questions are asked that are asked after any attempt, and
// open is called again after the wait; the messages that follow come out of the same Recv, once each and in order, if
// open continues right after last. That open says how to continue is what permits it: a method of unknown idempotency
// is resumed, too. Before the first message, the stream is retried as any stream is.
//
// All of it is one call: one deadline, one MaxAttempts, and each opening after the first costs budget. A message that
// is delivered after an opening makes that opening the first attempt again, because a stream that runs for weeks is
// interrupted more than a few times. What bounds the number of openings is the budget: it is not earned back by
// messages, so that a service which sends one message and fails gets, beyond what its other calls earn, no more than
// [Budget].Max openings at first and Budget.MinPerSecond after that.
//
// Recv returns io.EOF when the server ends the stream, and otherwise, when it gives up, an [*Error] whose Attempts and
// Endpoints count from the last message on. The message that Recv returned last must not be changed before the next
// Recv. As with any stream, cancel ctx or receive to the end. The other methods are those of the stream that is open
// now.
func Resume[Res any](
	ctx context.Context,
	open func(ctx context.Context, last *Res) (grpc.ServerStreamingClient[Res], error),
) (grpc.ServerStreamingClient[Res], error) {
	r := &resumed[Res]{resumption: &resumption{caller: ctx}, open: open}
	if err := r.reopen(nil); err != nil {
		return nil, err
	}
	return r, nil
}

// resumed is a stream that is made of several.
type resumed[Res any] struct {
	*resumption
	open    func(context.Context, *Res) (grpc.ServerStreamingClient[Res], error)
	current atomic.Pointer[grpc.ServerStreamingClient[Res]]
	last    *Res
}

func (r *resumed[Res]) reopen(last *Res) error {
	r.joining = true
	stream, err := r.open(context.WithValue(r.caller, resumptionKey{}, r.resumption), last)
	r.joining = false
	if err != nil {
		return err
	}
	r.current.Store(&stream)
	return nil
}

// Recv returns the next message, whichever stream it comes from.
func (r *resumed[Res]) Recv() (*Res, error) {
	for {
		m, err := (*r.current.Load()).Recv()
		if err == nil {
			r.last, r.progress = m, true
			return m, nil
		}
		if errors.Is(err, io.EOF) {
			return nil, err
		}
		if err := r.again(err); err != nil {
			return nil, err
		}
		if err := r.reopen(r.last); err != nil {
			return nil, err
		}
	}
}

func (r *resumed[Res]) stream() grpc.ClientStream { return *r.current.Load() }

func (r *resumed[Res]) Header() (metadata.MD, error) { return r.stream().Header() }
func (r *resumed[Res]) Trailer() metadata.MD         { return r.stream().Trailer() }
func (r *resumed[Res]) Context() context.Context     { return r.stream().Context() }
func (r *resumed[Res]) CloseSend() error             { return r.stream().CloseSend() }
func (r *resumed[Res]) SendMsg(m any) error          { return r.stream().SendMsg(m) }
func (r *resumed[Res]) RecvMsg(m any) error          { return r.stream().RecvMsg(m) }

// resumption is a call whose streams follow one another. One goroutine uses it: the one that opens and receives.
type resumption struct {
	caller   context.Context
	call     *call // nil until a Retrier has opened the first stream
	joining  bool  // the next stream that is opened belongs to it
	failed   *failure
	progress bool // something was delivered since the last opening
}

type resumptionKey struct{}

// joined returns the call that a new stream continues, if any, and the resumption that it belongs to.
func (r *Retrier) joined(ctx context.Context, method string, desc *grpc.StreamDesc) (*call, *resumption) {
	m, _ := ctx.Value(resumptionKey{}).(*resumption)
	if m == nil || !m.joining || desc.ClientStreams {
		return nil, nil
	}
	if m.call != nil && (m.call.retrier != r || m.call.method != method) {
		return nil, nil
	}
	m.joining = false
	return m.call, m
}

// again decides whether the call goes on after its stream has failed with err, and waits for that. It returns nil if
// so.
func (m *resumption) again(err error) error {
	f, c := m.failed, m.call
	m.failed = nil
	if f == nil {
		return err
	}
	if m.progress {
		c.attempts, c.free, c.doublings, c.continued, c.renewed = 1, 0, 0, true, false
		c.connecting = time.Time{}
		c.endpoints = c.endpoints[len(c.endpoints)-1:]
		c.tried = nil
		c.avoid(c.endpoints[0])
		m.progress = false
	}
	if stop := c.again(m.caller, f); stop != "" {
		c.showStop(m.caller, stop)
		return c.failed(f, stop)
	}
	return nil
}

package auth

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/rpcerr"
)

// provingStream is a stream in token mode. It hands out nothing that the server says before the server has proven
// itself.
type provingStream struct {
	open func() (grpc.ClientStream, *tokenAttempt, error)
	opts []grpc.CallOption
	stop context.CancelFunc

	mu      sync.Mutex
	stream  grpc.ClientStream
	attempt *tokenAttempt
	request any  // the one message of a client that sends only one
	last    bool // there is no second attempt any more
}

// attemptStream opens a stream. Where nobody outside retries and the client sends one message only, the stream is
// opened a second time if the server, proven, finds the token to be expired; elsewhere the token is replaced for the
// next stream.
func (c *Channel) attemptStream(
	ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer,
	opts []grpc.CallOption,
) (grpc.ClientStream, error) {
	ctx, a := attempt.Ensure(ctx)
	ctx, stop := context.WithCancel(ctx)
	open := func() (grpc.ClientStream, *tokenAttempt, error) {
		ctx, e, err := c.newTokenAttempt(ctx, method)
		if err != nil {
			return nil, nil, err
		}
		stream, err := a.NewStream(ctx, desc, cc, method, streamer, opts...)
		if err != nil {
			return nil, nil, c.explain(err, a, cc)
		}
		return stream, e, nil
	}
	s := &provingStream{open: open, opts: opts, stop: stop, last: desc.ClientStreams}
	var err error
	if s.stream, s.attempt, err = open(); err != nil {
		stop()
		return nil, err
	}
	return s, nil
}

func (s *provingStream) current() (grpc.ClientStream, *tokenAttempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stream, s.attempt
}

// judge waits for the header of the answer and checks its proof. A stream that ended without a header has none.
func (s *provingStream) judge(stream grpc.ClientStream, e *tokenAttempt) error {
	header, err := stream.Header()
	if err != nil {
		return err
	}
	e.judged.Do(func() { e.header, e.refusal = header, e.verify(header, nil) })
	return e.refusal
}

// Header returns the header of the answer once the server has proven itself.
func (s *provingStream) Header() (metadata.MD, error) {
	stream, e := s.current()
	switch err := s.judge(stream, e); {
	case err == nil:
		return e.header, nil
	case e.header == nil:
		return nil, nil // the stream ended; RecvMsg says how
	default:
		return nil, s.refuse(e, nil, err)
	}
}

// RecvMsg receives a message after the server has been proven.
func (s *provingStream) RecvMsg(m any) error {
	stream, e := s.current()
	verdict := s.judge(stream, e)
	if verdict != nil && !errors.Is(verdict, rpcerr.ServerProofMissing) {
		return s.refuse(e, m, verdict)
	}
	err := stream.RecvMsg(m)
	switch {
	case verdict == nil && s.repeat(e, err):
		return s.RecvMsg(m)
	case verdict == nil && err == nil:
		s.received()
		return nil
	case verdict == nil:
		s.stop()
		return plannedEnd(stream, err)
	case err == nil || errors.Is(err, io.EOF):
		return s.refuse(e, m, verdict)
	default:
		s.stop()
		forget(nil, s.opts)
		return unproven(err)
	}
}

// refuse ends the stream because of what the server did not prove.
func (s *provingStream) refuse(e *tokenAttempt, m any, err error) error {
	s.stop()
	forget(m, s.opts)
	e.channel.identity.auditReply(e, e.method, err)
	return err
}

// received notes that the server has let the call in.
func (s *provingStream) received() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.request = true, nil
}

// repeat opens the stream again after the server found the token to be expired, and reports whether it did.
func (s *provingStream) repeat(e *tokenAttempt, outcome error) bool {
	if outcome == nil {
		return false
	}
	ended, _ := s.current()
	ctx, cancel := e.afterwards()
	defer cancel()
	if !e.renew(ctx, outcome, ended.Trailer()) {
		return false
	}
	s.mu.Lock()
	request, last := s.request, s.last
	s.last = true
	s.mu.Unlock()
	if last || request == nil {
		return false
	}
	stream, next, err := s.open()
	if err != nil {
		return false
	}
	s.mu.Lock()
	s.stream, s.attempt = stream, next
	s.mu.Unlock()
	// What goes wrong with the request shows when the answer is received.
	if stream.SendMsg(request) == nil {
		_ = stream.CloseSend()
	}
	return true
}

// afterwards is a context for what follows the end of a stream, with whose context whoever retries the call may be
// through.
func (e *tokenAttempt) afterwards() (context.Context, context.CancelFunc) {
	until := time.Now().Add(tokenWait)
	if deadline, ok := e.Deadline(); ok && deadline.Before(until) {
		until = deadline
	}
	return context.WithDeadline(context.WithoutCancel(e), until)
}

// SendMsg sends a message.
func (s *provingStream) SendMsg(m any) error {
	s.mu.Lock()
	stream := s.stream
	if !s.last {
		s.request = m
	}
	s.mu.Unlock()
	return stream.SendMsg(m)
}

// CloseSend ends the client's side.
func (s *provingStream) CloseSend() error {
	stream, _ := s.current()
	return stream.CloseSend()
}

// Context is that of the stream.
func (s *provingStream) Context() context.Context {
	stream, _ := s.current()
	return stream.Context()
}

// Trailer returns the trailer of a proven server.
func (s *provingStream) Trailer() metadata.MD {
	stream, e := s.current()
	if s.judge(stream, e) != nil {
		return nil
	}
	return stream.Trailer()
}

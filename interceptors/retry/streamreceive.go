package retry

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// RecvMsg receives from the current attempt. The first message commits the stream.
func (s *stream) RecvMsg(m any) error {
	if a := s.won.Load(); a != nil {
		return s.receive(a, m)
	}
	s.mu.Lock()
	defer s.leave()
	for {
		s.await()
		if s.state == streamEnded {
			return s.err
		}
		a := s.current
		if s.won.Load() == a {
			var err error
			s.unlocked(&s.receiving, func() { err = a.receive(m) })
			return s.received(a, err)
		}
		a.clock(1)
		var err error
		s.unlocked(&s.receiving, func() { err = a.RecvMsg(m) })
		s.changed.Broadcast()
		s.await()
		switch {
		case s.state == streamEnded:
			return s.err
		case s.current != a:
			// What came was not delivered, and comes again.
		case s.won.Load() == a:
			return s.received(a, err)
		case errors.Is(err, io.EOF):
			s.succeed(a)
			return io.EOF
		case err == nil && a.cut.Load():
			s.retry(a, context.Canceled, false)
		case err == nil && !s.desc.ServerStreams:
			s.succeed(a)
			return nil
		case err == nil:
			s.answer(a)
			s.commit(a, StopCommitted)
			return nil
		case s.desc.ServerStreams && a.codec != nil && a.codec.received.Load() && !a.cut.Load():
			s.commit(a, StopCommitted)
			return s.received(a, err)
		default:
			s.retry(a, err, true)
		}
	}
}

// receive receives from the attempt that has won.
func (s *stream) receive(a *streamAttempt, m any) error {
	err := a.receive(m)
	if err == nil {
		return nil
	}
	s.mu.Lock()
	defer s.leave()
	return s.received(a, err)
}

// receive receives what the attempt was sent, beginning with what has been received for the caller already.
func (a *streamAttempt) receive(m any) error {
	p := a.pending
	if p == nil {
		return a.RecvMsg(m)
	}
	a.pending = nil
	if err := a.codec.codec.Unmarshal(buffer(p.data), m); err != nil {
		return status.Errorf(codes.Internal, "grpc: failed to unmarshal the received message: %v", err)
	}
	return nil
}

// received is what receiving from the attempt that has won returns, with the lock.
func (s *stream) received(a *streamAttempt, err error) error {
	if err == nil {
		return nil
	}
	if a.broken != nil {
		err = a.broken
	}
	if s.resumes != nil && !errors.Is(err, io.EOF) {
		s.call.trailer = a.Trailer()
		s.resumes.failed = a.failure(nil, err, time.Now())
	}
	a.cancel() // an interceptor may have ended the stream, and gRPC not know of it
	shown := s.surface(err)
	s.concludeLocked(err)
	return shown
}

// Header returns the header of the current attempt, and commits the stream if there is one.
func (s *stream) Header() (metadata.MD, error) {
	if a := s.won.Load(); a != nil {
		return a.Header()
	}
	s.mu.Lock()
	defer s.leave()
	for {
		s.await()
		if s.state == streamEnded || s.won.Load() != nil {
			break
		}
		a := s.current
		a.clock(1)
		var md metadata.MD
		var err error
		s.unlocked(&s.waiting, func() { md, err = a.Header() })
		s.await()
		switch {
		case s.state == streamEnded, s.won.Load() == a:
			return md, err
		case s.current != a:
		case err != nil && !a.cut.Load():
			s.commit(a, StopCommitted)
			return md, err
		case md != nil && !a.cut.Load():
			s.answer(a)
			s.commit(a, StopCommitted)
			return md, nil
		default:
			s.settle(a)
		}
	}
	a := s.current
	if a.ClientStream == nil {
		return nil, nil
	}
	var md metadata.MD
	var err error
	s.unlocked(&s.waiting, func() { md, err = a.Header() })
	return md, err
}

// Context is the context of the current attempt, and commits the stream, as it does with gRPC's own retry.
func (s *stream) Context() context.Context {
	if a := s.won.Load(); a != nil {
		return a.Context()
	}
	s.mu.Lock()
	defer s.leave()
	for s.state == streamDeciding || s.state == streamTrying && s.current.cut.Load() {
		s.changed.Wait() // the operation that waits for the attempt that was cut off decides
	}
	a := s.current
	if a.ClientStream == nil {
		return s.ctx
	}
	if s.state != streamEnded {
		s.commit(a, StopCommitted)
	}
	return a.Context()
}

// Trailer is that of the last attempt. Like gRPC's it may be asked for when receiving has failed.
func (s *stream) Trailer() metadata.MD {
	s.mu.Lock()
	a := s.current
	s.mu.Unlock()
	if a.ClientStream == nil {
		return nil
	}
	return a.Trailer()
}

func buffer(data []byte) mem.BufferSlice { return mem.BufferSlice{mem.SliceBuffer(data)} }

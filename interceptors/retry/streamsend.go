package retry

import (
	"errors"
	"io"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// SendMsg sends m on the current attempt, and keeps what it was encoded as until no other attempt can follow. It
// returns io.EOF only when that is decided.
func (s *stream) SendMsg(m any) error {
	if a := s.direct.Load(); a != nil {
		return s.sendDirect(a, m)
	}
	s.mu.Lock()
	defer s.leave()
	var f frame
	for {
		s.awaitSending()
		if s.state == streamEnded {
			return s.sentTooLate()
		}
		a, room := s.current, s.replay.room()
		if s.direct.Load() == a {
			return s.sendDirectLocked(a, m)
		}
		var err error
		s.unlocked(&s.sending, func() { err = a.send(m, &f, room) })
		s.await()
		switch {
		case s.state == streamEnded:
			return s.sentTooLate()
		case s.current != a:
			// It was not among what the new attempt has been sent.
		case s.won.Load() == a:
			return s.surface(err)
		case err == nil && !a.cut.Load():
			s.keep(a, f)
			return nil
		case err == nil, errors.Is(err, io.EOF):
			s.settle(a)
		case a.codec != nil && a.codec.failed:
			s.commit(a, StopNotRetryable) // the message is at fault
			return s.surface(err)
		default:
			s.retry(a, err, false)
			if s.state == streamEnded {
				return s.err
			}
		}
	}
}

// sendDirect sends a message that will not have to be sent again.
func (s *stream) sendDirect(a *streamAttempt, m any) error {
	err := a.SendMsg(m)
	if err == nil && s.won.Load() != nil || errors.Is(err, io.EOF) {
		return err
	}
	s.mu.Lock()
	defer s.leave()
	return s.sentDirect(a, err)
}

// sendDirectLocked is sendDirect for an operation that has the lock.
func (s *stream) sendDirectLocked(a *streamAttempt, m any) error {
	var err error
	s.unlocked(&s.sending, func() { err = a.SendMsg(m) })
	if err == nil && s.won.Load() != nil || errors.Is(err, io.EOF) {
		return err
	}
	return s.sentDirect(a, err)
}

// sentDirect is what sending returns where err came of it.
func (s *stream) sentDirect(a *streamAttempt, err error) error {
	s.await()
	switch {
	case s.state == streamEnded:
		return s.sentTooLate()
	case s.won.Load() == a:
		return s.surface(err)
	case err == nil:
		a.sent()
		return nil
	default:
		s.retry(a, err, false)
		return s.err
	}
}

// CloseSend tells the server that nothing more is sent, on this attempt and on all that follow it.
func (s *stream) CloseSend() error {
	s.mu.Lock()
	defer s.leave()
	for {
		s.awaitSending()
		if s.state == streamEnded {
			return nil
		}
		a := s.current
		var err error
		s.unlocked(&s.sending, func() { err = a.CloseSend() })
		s.await()
		if s.state == streamEnded || s.current == a {
			s.closed = true
			a.sent()
			return err
		}
	}
}

// keep keeps a message that was sent on the attempt. What cannot be kept is the last that may be sent again.
func (s *stream) keep(a *streamAttempt, f frame) {
	switch {
	case f.whole && s.replay.keep(f):
	case f.whole, a.codec != nil && a.codec.encoded.Load() == 1: // it was too long
		s.commit(a, StopBufferOverflow)
	default:
		s.commit(a, StopCommitted)
	}
	a.sent()
}

// sent notes that the server has been asked something.
func (a *streamAttempt) sent() {
	a.asked = time.Now()
	a.clock(0)
}

// sentTooLate is what sending returns when the call is over.
func (s *stream) sentTooLate() error {
	if s.desc.ClientStreams {
		return io.EOF
	}
	return nil
}

// awaitSending waits until the current attempt has been sent what was sent before.
func (s *stream) awaitSending() {
	for s.state == streamDeciding || s.state != streamEnded && s.current.replaying {
		s.changed.Wait()
	}
}

// begin makes an attempt that is open the current one, and sends it what was sent before. A stream in both directions
// is received from meanwhile: a server may answer before it reads on.
func (s *stream) begin(a *streamAttempt) {
	s.current = a
	if len(s.replay.frames) == 0 && !s.closed {
		s.free()
		return
	}
	a.replaying = true
	frames, closed := s.replay.frames, s.closed
	if s.desc.ClientStreams {
		go func() { // ends with its attempt
			err := status.Error(codes.Internal, "an interceptor panicked while the stream was sent again")
			defer func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.replayed(a, err)
			}()
			new(thrown).catch(s.call.retrier.logger, s.call.method, func() { err = a.resendAll(frames, closed) })
		}()
		return
	}
	var err error
	s.unlocked(&s.sending, func() { err = a.resendAll(frames, closed) })
	s.replayed(a, err)
}

// replayed notes that an attempt has been sent what was sent before, or why not.
func (s *stream) replayed(a *streamAttempt, err error) {
	a.replaying = false
	if err != nil && !errors.Is(err, io.EOF) && a.broken == nil {
		a.broken = err
		a.cancel() // so that receiving fails, too
	}
	s.free()
	s.changed.Broadcast()
}

// free forgets what was sent, once it will not have to be sent again.
func (s *stream) free() {
	a := s.current
	if s.state != streamEnded && (a.replaying || !a.last && s.won.Load() == nil) {
		return
	}
	s.replay.drop()
	if s.state != streamEnded {
		s.direct.Store(a)
	}
}

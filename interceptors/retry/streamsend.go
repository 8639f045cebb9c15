package retry

import (
	"errors"
	"io"
	"time"
)

// SendMsg sends m on the current attempt, and keeps what it was encoded as until no other attempt can follow. It returns
// io.EOF only when that is decided.
func (s *stream) SendMsg(m any) error {
	if a := s.direct.Load(); a != nil {
		return s.sendDirect(a, m)
	}
	s.mu.Lock()
	defer s.leave()
	var f frame
	for {
		s.awaitSending()
		if s.over {
			return s.sentTooLate()
		}
		a := s.current
		if s.direct.Load() == a {
			s.mu.Unlock()
			err := s.sendDirect(a, m)
			s.mu.Lock()
			return err
		}
		room := s.replay.room()
		s.sending = true
		s.mu.Unlock()
		err := a.send(m, &f, room)
		s.mu.Lock()
		s.sending = false
		s.await()
		switch {
		case s.over:
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
			if s.over {
				return s.err
			}
		}
	}
}

// sendDirect sends a message that nobody will have to send again.
func (s *stream) sendDirect(a *streamAttempt, m any) error {
	err := a.SendMsg(m)
	if err == nil && s.won.Load() != nil || errors.Is(err, io.EOF) {
		return err
	}
	s.mu.Lock()
	defer s.leave()
	s.await()
	switch {
	case s.over:
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
		if s.over {
			return nil
		}
		a := s.current
		s.sending = true
		s.mu.Unlock()
		err := a.CloseSend()
		s.mu.Lock()
		s.sending = false
		s.await()
		if s.over || s.current == a {
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
	a.clock()
}

// sentTooLate is what sending returns when the call is over.
func (s *stream) sentTooLate() error {
	if s.desc.ClientStreams {
		return io.EOF
	}
	return nil
}

// await waits while somebody decides about another attempt.
func (s *stream) await() {
	for s.deciding {
		s.changed.Wait()
	}
}

// awaitSending waits until the current attempt has been sent what was sent before.
func (s *stream) awaitSending() {
	for s.deciding || !s.over && s.current.replaying {
		s.changed.Wait()
	}
}

// begin makes an attempt that is open the current one, and sends it what was sent before. A stream in both directions is
// received from meanwhile: a server may answer before it reads on.
func (s *stream) begin(a *streamAttempt) {
	s.current = a
	if len(s.replay.frames) == 0 && !s.closed {
		s.free()
		return
	}
	a.replaying = true
	if s.desc.ClientStreams {
		go s.resend(a, s.replay.frames, s.closed) // ends with its attempt
		return
	}
	frames, closed := s.replay.frames, s.closed
	s.mu.Unlock()
	s.resend(a, frames, closed)
	s.mu.Lock()
}

func (s *stream) resend(a *streamAttempt, frames []frame, closed bool) {
	var err error
	for _, f := range frames {
		if err = a.resend(f); err != nil {
			break
		}
	}
	if err == nil && closed {
		_ = a.CloseSend() // always nil; the status is received
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a.replaying = false
	if err != nil && !errors.Is(err, io.EOF) && a.broken == nil {
		a.broken = err
		a.cancel() // so that receiving fails, too
	}
	s.free()
	s.changed.Broadcast()
}

// free forgets what was sent, once nobody will have to send it again.
func (s *stream) free() {
	a := s.current
	if !s.over && (a.replaying || !a.last && s.won.Load() == nil) {
		return
	}
	s.replay.drop()
	if !s.over {
		s.direct.Store(a)
	}
}

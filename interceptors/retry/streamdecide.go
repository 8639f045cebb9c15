package retry

import (
	"context"
	"errors"
	"io"
)

// settle finds out how an attempt has ended that takes no more messages, or has no header. A message that was received
// before its end is kept for the caller.
func (s *stream) settle(a *streamAttempt) {
	if s.receiving {
		for s.receiving {
			s.changed.Wait()
		}
		return
	}
	s.deciding = true
	s.mu.Unlock()
	message := new(frame)
	err := a.RecvMsg(message)
	s.mu.Lock()
	s.deciding = false
	s.changed.Broadcast()
	switch {
	case errors.Is(err, io.EOF):
		s.succeed(a)
	case err == nil && !a.cut.Load():
		a.pending = message
		s.answer(a)
		s.commit(a, StopCommitted)
	case err == nil:
		s.retry(a, context.Canceled, false)
	default:
		s.retry(a, err, true)
	}
}

// retry decides about another attempt after one has failed, waits for it and opens it, or ends the call.
func (s *stream) retry(a *streamAttempt, err error, received bool) {
	s.deciding = true
	s.mu.Unlock()
	a, f, stop := s.next(a, a.lost(err, received))
	s.mu.Lock()
	s.deciding = false
	s.changed.Broadcast()
	if stop != "" {
		s.current = a
		s.end(f, stop)
		return
	}
	s.begin(a)
}

// next waits after the failure of an attempt and opens another one, until one is open or there is a reason to stop.
func (s *stream) next(a *streamAttempt, f *failure) (*streamAttempt, *failure, StopReason) {
	for f != nil {
		if stop := s.again(s.caller, f); stop != "" {
			return a, f, stop
		}
		a, f = s.open()
	}
	return a, nil, ""
}

// succeed ends the call with the success of an attempt.
func (s *stream) succeed(a *streamAttempt) {
	s.commit(a, StopOK)
	s.over, s.err = true, io.EOF
}

// commit makes an attempt the last one, because the caller has something of it or because it cannot be repeated.
func (s *stream) commit(a *streamAttempt, why StopReason) {
	if s.won.Load() != nil {
		return
	}
	s.stop = why
	if a.timer != nil {
		a.timer.Stop()
	}
	s.won.Store(a)
	a.this.SetRenewable(false)
	s.free()
	s.changed.Broadcast()
}

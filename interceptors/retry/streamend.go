package retry

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// settle finds out how an attempt has ended that takes no more messages, or has no header. A message that was received
// before its end is kept for the caller.
func (s *stream) settle(a *streamAttempt) {
	if s.receiving > 0 {
		for s.receiving > 0 {
			s.changed.Wait()
		}
		return
	}
	message := new(frame)
	var err error
	s.decide(func() { err = a.RecvMsg(message) })
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
	a.asks, a.judged = true, true // its timeout comes too late
	var f *failure
	var stop StopReason
	s.decide(func() { a, f, stop = s.next(a, a.lost(err, received)) })
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
		if stop := s.call.again(s.caller, f); stop != "" {
			return a, f, stop
		}
		a, f = s.open()
	}
	return a, nil, ""
}

// succeed ends the call with the success of an attempt.
func (s *stream) succeed(a *streamAttempt) {
	s.commit(a, StopOK)
	s.state, s.err = streamEnded, io.EOF
}

// commit makes an attempt the last one, because the caller has something of it or because it cannot be repeated.
func (s *stream) commit(a *streamAttempt, why StopReason) {
	if s.won.Load() != nil {
		return
	}
	s.stop, s.state = why, streamCommitted
	if a.timer != nil {
		a.timer.Stop()
	}
	if a.takeToken() {
		s.call.retrier.budget.refund()
	}
	s.won.Store(a)
	a.this.SetRenewable(false)
	s.free()
	s.changed.Broadcast()
}

// end ends the call with the failure of an attempt of which the caller has nothing.
func (s *stream) end(f *failure, stop StopReason) {
	s.stop, s.state = stop, streamEnded
	s.err = s.call.failed(f, stop)
	s.free()
	s.changed.Broadcast()
}

// collapse ends the call because code of an interceptor did not return. The goroutine that ran it goes on with its
// panic; all other operations get an error.
func (s *stream) collapse() {
	a := s.current
	if a != nil && a.cancel != nil {
		a.cancel()
	}
	if s.state == streamEnded || a == nil {
		return
	}
	err := status.Error(codes.Internal, "an interceptor of the stream panicked")
	s.end(&failure{err: err, status: statusOf(err)}, StopNotRetryable)
}

// surface is an error of the attempt that has won as the caller sees it: its status and its text are as they were.
func (s *stream) surface(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	s.current.arrive()
	return &Error{
		Attempts:  s.call.attempts,
		Reason:    s.reason(err),
		Last:      err,
		Endpoints: slices.Clone(s.call.endpoints),
		status:    statusOf(err),
	}
}

// reason is why nothing follows an attempt that has won, and has failed or not.
func (s *stream) reason(err error) StopReason {
	if err == nil || errors.Is(err, io.EOF) {
		return StopOK
	}
	if s.state != streamEnded {
		if stop := s.call.ended(s.caller, time.Now()); stop != "" {
			return stop
		}
	}
	return s.stop
}

// leave unlocks at the end of an operation. If the call has ended by then, its options are filled.
func (s *stream) leave() {
	if !s.unlock() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.report == reportFilling {
		s.changed.Wait()
	}
}

// unlock unlocks. If the call has ended by then, it fills the caller's options, without the lock: to ask for the header
// of a stream that an interceptor has ended makes gRPC end it, which comes back here. It reports whether another
// goroutine is filling them.
func (s *stream) unlock() (filling bool) {
	if a := s.current; a != nil && a.finished.Load() {
		s.bury(a)
	}
	if s.state == streamEnded {
		s.concludeLocked(s.err)
	}
	if s.report != reportDue {
		defer s.mu.Unlock()
		return s.report == reportFilling
	}
	s.report = reportFilling
	s.mu.Unlock()
	new(thrown).catch(s.call.retrier.logger, s.call.method, s.fill)
	s.mu.Lock()
	s.report = reportDone
	s.changed.Broadcast()
	s.mu.Unlock()
	_ = finish(s.opts, s.reported) // returns it
	return false
}

// conclude ends the call as its last attempt has ended.
func (s *stream) conclude(err error) {
	s.mu.Lock()
	defer s.leave()
	s.concludeLocked(err)
}

func (s *stream) concludeLocked(err error) {
	if s.report != reportNone {
		return
	}
	c := s.call
	stop := s.reason(err)
	switch {
	case stop == StopOK:
		err = nil
		s.answer(s.current)
		c.policy.observeCompletion()
		if c.continued {
			c.retrier.budget.success(c.charged)
		}
	case s.state != streamEnded:
		if s.caller.Err() == nil && s.resumes == nil {
			c.policy.stats.observeStatus(time.Now(), statusOf(err).Code())
		}
		err = s.surface(err)
	}
	c.showEnd(s.caller, stop)
	if s.release != nil {
		s.release()
	}
	s.report, s.reported = reportDue, err
}

// fill writes to where the caller wants it what the last attempt has to show.
func (s *stream) fill() {
	a := s.current
	for _, o := range s.opts {
		switch o := o.(type) {
		case grpc.HeaderCallOption:
			*o.HeaderAddr = a.header()
		case grpc.TrailerCallOption:
			*o.TrailerAddr = a.trailer()
		case grpc.PeerCallOption:
			*o.PeerAddr = a.peer()
		}
	}
}

// answer notes that the attempt brought an answer.
func (s *stream) answer(a *streamAttempt) {
	if a.answered {
		return
	}
	a.answered = true
	c := s.call
	c.policy.observeAnswer(time.Since(a.asked))
	// A stream that goes on again and again is not a success each time, or a service that sends one message and fails
	// would earn the very retries that it fails.
	if !c.continued {
		c.retrier.budget.success(c.charged)
	}
}

// bury ends the call with its attempt, of which gRPC says that it has ended: one that has won, or one of which no
// operation will find that out, because the caller has given it up and is at none.
func (s *stream) bury(a *streamAttempt) {
	switch {
	case s.state == streamEnded:
	case s.won.Load() == a:
		s.concludeLocked(a.finishErr)
	case s.state == streamDeciding, s.receiving > 0, s.sending > 0, s.waiting > 0:
	case s.call.ended(s.caller, time.Now()) != "":
		a.asks, a.judged = true, true
		f := a.lost(a.finishErr, false)
		_, stop := s.call.judge(s.caller, f)
		s.end(f, stop)
	}
}

package retry

import (
	"errors"
	"io"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
)

// end ends the call with the failure of an attempt of which the caller has nothing.
func (s *stream) end(f *failure, stop StopReason) {
	s.stop = stop
	s.err = s.failed(f, stop)
	s.over = true
	s.free()
	s.changed.Broadcast()
}

// surface is an error of the attempt that has won as the caller sees it: its status and its text are as they were.
func (s *stream) surface(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	s.arrive()
	return &Error{
		Attempts:  s.attempts,
		Reason:    s.reason(err),
		Last:      err,
		Endpoints: slices.Clone(s.endpoints),
		status:    statusOf(err),
	}
}

// arrive keeps the endpoint of the attempt that has won.
func (s *stream) arrive() {
	if !s.arrived {
		s.arrived = true
		s.current.reached(s.current.endpoint())
	}
}

// reason says why nothing follows an attempt that has won, and has failed or not.
func (s *stream) reason(err error) StopReason {
	if err == nil || errors.Is(err, io.EOF) {
		return StopOK
	}
	if stop := s.ended(s.caller, time.Now()); stop != "" && !s.over {
		return stop
	}
	return s.stop
}

// leave unlocks at the end of an operation. If the call has ended by then, its options are filled.
func (s *stream) leave() {
	s.unlock()
	if s.ending.Load() {
		s.filling.Lock()
		s.filling.Unlock() //nolint:staticcheck // waits for whoever fills them
	}
}

// unlock unlocks. If the call has ended by then, it tells the caller's options so, without the lock: to ask for the header
// of a stream that an interceptor has ended makes gRPC end it, which comes back here.
func (s *stream) unlock() {
	if a := s.current; a != nil && a.finished.Load() {
		s.bury(a)
	}
	if s.over {
		s.concludeLocked(s.err)
	}
	tell, err := s.tell, s.told
	s.tell = false
	if !tell {
		s.mu.Unlock()
		return
	}
	s.filling.Lock()
	s.ending.Store(true)
	s.mu.Unlock()
	s.fill()
	s.filling.Unlock()
	_ = finish(s.opts, err) // returns err
}

// conclude ends the call as its last attempt has ended.
func (s *stream) conclude(err error) {
	s.mu.Lock()
	defer s.leave()
	s.concludeLocked(err)
}

func (s *stream) concludeLocked(err error) {
	if s.concluded {
		return
	}
	s.concluded = true
	stop := s.reason(err)
	switch {
	case stop == StopOK:
		err = nil
		s.answer(s.current)
		s.policy.worked()
		if s.continued {
			s.retrier.budget.success(true)
		}
	case !s.over:
		if s.caller.Err() == nil && s.resumes == nil {
			s.policy.facts.answered(time.Now(), statusOf(err).Code())
		}
		err = s.surface(err)
	}
	s.showEnd(s.caller, stop)
	if s.release != nil {
		s.release()
	}
	s.tell, s.told = true, err
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

// header does not block on an attempt that has ended.
func (a *streamAttempt) header() metadata.MD {
	if a.ClientStream == nil {
		return nil
	}
	md, _ := a.Header() // the error is received
	return md
}

func (a *streamAttempt) trailer() metadata.MD {
	if a.ClientStream == nil {
		return nil
	}
	return a.Trailer()
}

func (a *streamAttempt) peer() peer.Peer {
	if a.ClientStream == nil {
		return peer.Peer{}
	}
	if p, ok := peer.FromContext(a.Context()); ok {
		return *p
	}
	return peer.Peer{}
}

// endpoint is where the attempt has been sent.
func (a *streamAttempt) endpoint() string {
	if p := a.peer(); p.Addr != nil {
		return p.Addr.String()
	}
	return ""
}

// answer notes that the attempt brought an answer.
func (s *stream) answer(a *streamAttempt) {
	if s.answered {
		return
	}
	s.answered = true
	s.policy.responded(time.Since(a.asked))
	// A stream that goes on again and again is not a success each time, or a service that sends one message and fails
	// would earn the very retries that it fails.
	if !s.continued {
		s.retrier.budget.success(s.attempts > 1 && !s.unpaid)
	}
}

// bury ends the call with its attempt, of which gRPC says that it has ended: one that has won, or one for which there is
// nobody to find that out, because the caller has given it up and is at none of its operations.
func (s *stream) bury(a *streamAttempt) {
	switch {
	case s.over:
	case s.won.Load() == a:
		s.concludeLocked(a.finishErr)
	case s.deciding, s.receiving, s.sending, s.waiting > 0:
	case s.ended(s.caller, time.Now()) != "":
		f := a.lost(a.finishErr, false)
		_, stop := s.judge(s.caller, f)
		s.end(f, stop)
	}
}

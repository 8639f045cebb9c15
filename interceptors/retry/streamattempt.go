package retry

import (
	"context"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/attempt"
)

// streamAttempt is one attempt of a stream. The mutex of the stream guards what is neither set once nor atomic.
type streamAttempt struct {
	grpc.ClientStream // nil if it could not be opened
	of                *stream
	this              *attempt.Attempt
	codec             *capture // of captured, nil if messages are not kept
	captured          capture
	cancel            context.CancelFunc
	last              bool

	limit time.Duration // of the wait for the first message, 0 for none
	timer *time.Timer
	cut   atomic.Bool // by the timer

	asked     time.Time // when the caller last sent something
	replaying bool
	broken    error  // what kept messages from being sent again
	pending   *frame // received for the caller, who has not asked for it yet

	finished  atomic.Bool
	finishErr error // valid once finished
}

// open makes an attempt. It returns the failure if that could not be opened.
func (s *stream) open() (*streamAttempt, *failure) {
	now := time.Now()
	ctx, this := s.number(s.ctx, false)
	a := &streamAttempt{of: s, this: this, asked: now, last: s.lastAttempt(s.attempts)}
	this.SetRenewable(!a.last && !s.renewed)
	ctx, a.cancel = context.WithCancel(ctx)
	s.trailer = nil
	if until, cutting := s.until(s.caller, now); cutting {
		a.limit = until.Sub(now)
		a.timer = time.AfterFunc(a.limit, a.cutOff)
	}
	inner, err := s.streamer(ctx, s.desc, s.conn, s.method, a.options()...)
	end := time.Now()
	if a.timer != nil && !a.timer.Stop() && err == nil {
		a.cut.Store(true) // and it is about to be cancelled
		err = context.Canceled
	}
	a.timer = nil
	if err != nil {
		// Only of an RPC that has ended it is known what it reached.
		if !a.finished.Load() {
			this = nil
		}
		a.cancel()
		a.reached(this.Endpoint())
		return a, a.failure(this, err, end)
	}
	a.ClientStream = inner
	if a.limit > 0 {
		a.limit = max(a.limit-end.Sub(now), 1)
	}
	return a, nil
}

// options are those of the caller, except that what gRPC writes is fetched when the call ends, and the codec is ours.
func (a *streamAttempt) options() []grpc.CallOption {
	s := a.of
	options := make([]grpc.CallOption, 0, len(s.opts)+2)
	for _, o := range s.opts {
		switch o.(type) {
		case grpc.OnFinishCallOption, grpc.HeaderCallOption, grpc.TrailerCallOption, grpc.PeerCallOption:
		default:
			options = append(options, o)
		}
	}
	options = append(options, grpc.OnFinish(a.finish))
	if s.codec != nil {
		a.codec = &a.captured
		a.codec.codec, a.codec.name = s.codec, s.name
		options = append(options, grpc.ForceCodecV2(a.codec))
	}
	return options
}

// failure makes the failure of the attempt. This is nil if it has been sent, or may have been.
func (a *streamAttempt) failure(this *attempt.Attempt, err error, end time.Time) *failure {
	cut := a.cut.Load() && interrupted(statusOf(err).Code())
	if cut {
		err = status.Error(codes.DeadlineExceeded, "no message within the per-attempt timeout")
	}
	f := a.of.failure(a.of.caller, this, err, a.asked, end, end, cut)
	f.renewed = a.this.Renewed()
	return f
}

// reached keeps where the attempt has been sent, and has later ones avoid it under the name that the picker has for it.
func (a *streamAttempt) reached(endpoint string) {
	a.of.endpoints = append(a.of.endpoints, endpoint)
	if chosen := a.this.Choice().Endpoint; chosen != "" {
		endpoint = chosen
	}
	a.of.avoid(endpoint)
}

// lost ends the attempt and makes its failure. Received tells that receiving said so, so that there is a trailer.
func (a *streamAttempt) lost(err error, received bool) *failure {
	s := a.of
	if a.timer != nil {
		a.timer.Stop()
	}
	if a.broken != nil {
		err = a.broken
	}
	s.trailer = nil
	if received {
		s.trailer = a.Trailer()
	}
	a.reached(a.endpoint())
	a.cancel()
	return a.failure(nil, err, time.Now())
}

// cutOff ends an attempt whose first message does not come. It does nothing to one that has won.
func (a *streamAttempt) cutOff() {
	s := a.of
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.won.Load() == nil {
		a.cut.Store(true)
		a.cancel()
	}
}

// clock starts the per-attempt timeout once the caller waits for the first message and the server has what it needs to
// send one: the whole request, or a first message of a stream in both directions.
func (a *streamAttempt) clock() {
	s := a.of
	if a.limit == 0 || a.timer != nil || s.won.Load() != nil || !s.receiving && s.waiting == 0 {
		return
	}
	if s.desc.ClientStreams && !s.closed && (!s.desc.ServerStreams || len(s.replay.frames) == 0) {
		return
	}
	a.timer = time.AfterFunc(a.limit, a.cutOff)
}

// send sends a message of the caller, and keeps in f what it is encoded as, if that can be kept. Where f holds that already,
// an earlier attempt has encoded it.
func (a *streamAttempt) send(m any, f *frame, room int) error {
	switch {
	case f.whole:
		return a.resend(*f)
	case a.codec == nil:
		return a.SendMsg(m)
	}
	a.codec.arm(room, nil)
	err := a.SendMsg(m)
	if f.data, f.whole = a.codec.disarm(); f.whole {
		f.kind = kindOf(m)
	}
	return err
}

// resend sends a message again. What interceptors see of a protobuf message is equal to what the caller has sent.
func (a *streamAttempt) resend(f frame) error {
	message := any(&f)
	if f.kind != nil {
		fresh := f.kind.New().Interface()
		if a.codec.codec.Unmarshal(buffer(f.data), fresh) == nil {
			message = fresh
		}
	}
	a.codec.arm(0, &f)
	err := a.SendMsg(message)
	a.codec.disarm()
	return err
}

// finish hears from gRPC that the RPC of the attempt has ended.
func (a *streamAttempt) finish(err error) {
	a.finishErr = err
	a.finished.Store(true)
	a.cancel()
	a.of.mu.Lock()
	a.of.unlock()
}

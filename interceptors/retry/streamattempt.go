package retry

import (
	"context"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
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

	limit  time.Duration // of the wait for the first message, 0 for none
	known  standing      // what was known of the call when the attempt began, if there is a limit
	timer  *time.Timer   // of the limit
	asks   bool          // the limit has passed, and it is decided whether it holds
	cut    atomic.Bool   // it does
	cutAt  time.Time     // valid once cut
	token  bool          // which the cut has taken for the next attempt
	quiet  bool          // the cut is because the endpoint is silent
	judged bool          // it has failed, and it is decided what follows

	asked     time.Time // when the caller last sent something
	replaying bool
	broken    error  // what kept messages from being sent again
	pending   *frame // received for the caller, who has not asked for it yet
	answered  bool   // it has brought an answer
	arrived   bool   // its endpoint is kept

	finished  atomic.Bool
	finishErr error // valid once finished
}

// open makes an attempt. It returns the failure if that could not be opened.
func (s *stream) open() (*streamAttempt, *failure) {
	c, now := s.call, time.Now()
	ctx, this := c.number(s.ctx, false)
	a := &streamAttempt{of: s, this: this, asked: now, last: s.lastAttempt(c.counted())}
	this.SetRenewable(!a.last && !c.renewed)
	ctx, a.cancel = context.WithCancel(ctx)
	c.trailer = nil
	movable, limit := c.room(s.caller, now)
	a.limit = limit
	c.markHurried(this, now, a.limit)
	if a.limit > 0 || movable {
		a.known = c.standing
	}
	if movable {
		this.EndOnSilence(c.lastMove(), a.silence)
	}
	if a.limit > 0 {
		a.timer = time.AfterFunc(a.limit, a.expire)
	}
	returned := false
	defer func() {
		if !returned { // an interceptor panicked
			a.stopTimer()
			a.this.Left()
			a.cancel()
		}
	}()
	inner, err := s.streamer(ctx, s.desc, c.conn, c.method, a.options()...)
	returned = true
	end := time.Now()
	if !a.stopTimer() {
		a.expire() // decides, if that is not done yet
		a.limit = 0
		if err == nil && a.cut.Load() {
			err = context.Canceled
		}
	}
	a.timer = nil
	if err != nil {
		// Only of an RPC that has ended it is known what it reached.
		if !a.finished.Load() {
			this = nil
		}
		a.cancel()
		a.this.Left()
		a.reached(this.Endpoint())
		return a, a.failure(this, err, end)
	}
	a.ClientStream = inner
	if a.limit > 0 {
		a.limit = max(a.limit-end.Sub(now), 1)
	}
	return a, nil
}

// stopTimer stops the timer of the limit, and reports whether that is in time.
func (a *streamAttempt) stopTimer() bool { return a.timer == nil || a.timer.Stop() }

// expire ends an attempt whose first message does not come in time, if another attempt may follow and is paid for. It
// does nothing to one that has won. One that is not ended has all the time that is left.
func (a *streamAttempt) expire() {
	s := a.of
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.asks {
		return
	}
	a.asks = true
	now := time.Now()
	if s.won.Load() == nil && a.known.affords(s.caller, now) {
		a.token, a.cutAt = true, now
		a.cut.Store(true)
		a.cancel()
	}
}

// silence ends an attempt whose endpoint is silent as [streamAttempt.expire] does, without a token.
func (a *streamAttempt) silence() {
	s := a.of
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if !a.judged && !a.cut.Load() && s.won.Load() == nil && a.known.allowed(s.caller, now) {
		a.asks, a.quiet, a.cutAt = true, true, now
		a.cut.Store(true)
		a.cancel()
	}
}

// takeToken returns whether the cut has taken a token for the next attempt, the first time that it is asked.
func (a *streamAttempt) takeToken() bool {
	token := a.token
	a.token = false
	return token
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
	c, cut := a.of.call, time.Time{}
	if a.cut.Load() && interrupted(statusOf(err).Code()) {
		cut, err = a.cutAt, status.Error(codes.DeadlineExceeded, "no message within the per-attempt timeout")
		if a.quiet {
			err = errSilent
		}
	}
	c.reserved = a.takeToken()
	f := c.failure(a.of.caller, this, err, a.asked, end, cut)
	f.renewed = a.this.Renewed()
	if a.quiet && f.err == errSilent { //nolint:errorlint // the very same error
		f.silent = true
	}
	return f
}

// reached keeps where the attempt has been sent, and has later ones avoid it under the name that the picker has for it.
func (a *streamAttempt) reached(endpoint string) {
	c := a.of.call
	a.arrived = true
	c.endpoints = append(c.endpoints, endpoint)
	if chosen := a.this.Choice().Endpoint; chosen != "" {
		endpoint = chosen
	}
	c.avoid(endpoint)
}

// arrive keeps the endpoint of an attempt that has won.
func (a *streamAttempt) arrive() {
	if !a.arrived {
		a.reached(a.endpoint())
	}
}

// lost ends the attempt and makes its failure. Received says that receiving said so, so that there is a trailer.
func (a *streamAttempt) lost(err error, received bool) *failure {
	if a.timer != nil {
		a.timer.Stop()
	}
	if a.broken != nil {
		err = a.broken
	}
	a.of.call.trailer = nil
	if received {
		a.of.call.trailer = a.Trailer()
	}
	a.reached(a.endpoint())
	a.cancel()
	return a.failure(nil, err, time.Now())
}

// clock starts the per-attempt timeout once the caller waits for the first message and the server has what it needs to
// send one: the whole request, or a first message of a stream in both directions. Waiting is how many operations are
// about to wait.
func (a *streamAttempt) clock(waiting int) {
	s := a.of
	if a.limit == 0 || a.timer != nil || s.won.Load() != nil || s.receiving+s.waiting+waiting == 0 {
		return
	}
	if s.desc.ClientStreams && !s.closed && (!s.desc.ServerStreams || len(s.replay.frames) == 0) {
		return
	}
	a.timer = time.AfterFunc(a.limit, a.expire)
}

// send sends a message of the caller, and keeps in f what it is encoded as, if that can be kept. Where f holds that
// already, an earlier attempt has encoded it.
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

// resendAll sends messages again, and says that there are no more if that is so.
func (a *streamAttempt) resendAll(frames []frame, closed bool) error {
	for _, f := range frames {
		if err := a.resend(f); err != nil {
			return err
		}
	}
	if closed {
		_ = a.CloseSend() // always nil; the status is received
	}
	return nil
}

// finish hears from gRPC that the RPC of the attempt has ended.
func (a *streamAttempt) finish(err error) {
	a.finishErr = err
	a.finished.Store(true)
	a.this.Left()
	a.cancel()
	a.of.mu.Lock()
	a.of.unlock()
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

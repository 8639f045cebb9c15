package retry

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
)

// StreamClientInterceptor is [Retrier.UnaryClientInterceptor] for streams: it makes the attempts of a stream. What was
// sent is sent again on a new attempt, until the caller has received something or what was sent is too much to keep.
func (r *Retrier) StreamClientInterceptor(
	ctx context.Context,
	desc *grpc.StreamDesc,
	cc *grpc.ClientConn,
	method string,
	streamer grpc.Streamer,
	opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	return r.stream(ctx, wire{method: method, conn: cc, nativeOff: r.settings.nativeOff}, desc, streamer, opts)
}

// dialledStream is StreamClientInterceptor for a channel that was dialled with DialOptions.
func (r *Retrier) dialledStream(
	ctx context.Context,
	desc *grpc.StreamDesc,
	cc *grpc.ClientConn,
	method string,
	streamer grpc.Streamer,
	opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	return r.stream(ctx, wire{method: method, conn: cc, nativeOff: true}, desc, streamer, opts)
}

// streamState is how far a stream has come.
//
//	trying <-> deciding -> committed
//	   |           |           |
//	   +-----------+-> ended <-+
type streamState uint8

const (
	// An attempt is out of which the caller has nothing, so that another one may take its place.
	streamTrying streamState = iota
	// One operation finds out how the attempt has ended and whether another one follows. All others wait for that.
	streamDeciding
	// The caller has something of the attempt, or it cannot be repeated. Operations go straight to it.
	streamCommitted
	// The call is over, and no attempt is left to ask.
	streamEnded
)

// reportState is how far the end of a stream has been passed on to its caller's options.
type reportState uint8

const (
	reportNone    reportState = iota // the call goes on
	reportDue                        // it has ended, as reported has it
	reportFilling                    // one goroutine fills the options
	reportDone
)

// stream is a stream and its attempts. It follows gRPC's rules of concurrency: one goroutine may send while another one
// receives, and the header, the context and the trailer may be asked for beside them.
//
// At first each operation goes to the current attempt under a lock, which is not held while gRPC is at work, and what
// is sent is kept. An operation that finds that the attempt has failed decides about another one; all others wait for
// that. Once the stream is committed, operations go straight through.
type stream struct {
	call     *call
	desc     *grpc.StreamDesc
	streamer grpc.Streamer
	caller   context.Context    // of the call
	ctx      context.Context    // of its attempts: it also ends at the deadline that the method states
	release  context.CancelFunc // of ctx, nil if it is caller
	opts     []grpc.CallOption  // of the caller
	resumes  *resumption        // nil unless the application says how the stream goes on

	codec codec // nil if messages cannot be kept
	name  string

	won    atomic.Pointer[streamAttempt] // the attempt to which the stream is committed
	direct atomic.Pointer[streamAttempt] // the attempt that messages go to without being kept

	mu      sync.Mutex
	changed sync.Cond // of everything below
	state   streamState
	current *streamAttempt
	replay  replay
	closed  bool       // the caller sends nothing more
	stop    StopReason // why no other attempt follows, once committed or ended
	err     error      // how the call has ended

	// Operations that are at work without the lock.
	receiving, sending, waiting int

	report   reportState
	reported error // what OnFinish is called with
}

func (r *Retrier) stream(
	ctx context.Context,
	w wire,
	desc *grpc.StreamDesc,
	streamer grpc.Streamer,
	opts []grpc.CallOption,
) (grpc.ClientStream, error) {
	m, err := r.method(w.method)
	if err != nil {
		return nil, finish(opts, err)
	}
	s := &stream{
		desc: desc, streamer: streamer, caller: ctx, ctx: ctx, opts: opts,
		replay: replay{memory: r.settings.memory, limit: r.settings.replayLimit},
	}
	s.changed.L = &s.mu
	s.call, s.resumes = r.joined(ctx, w.method, desc)
	if s.call == nil {
		s.call = &call{standing: standing{wire: w, retrier: r, policy: m}}
		now := time.Now()
		s.call.setStreamDeadline(ctx, now)
		s.call.showDeadline(ctx)
		if err := s.call.tooLate(ctx, now); err != nil {
			return nil, finish(opts, err)
		}
	}
	if s.resumes != nil {
		s.resumes.call = s.call
	}
	s.call.wire, s.call.policy = w, m
	if s.call.limit != nil {
		s.ctx, s.release = context.WithDeadline(ctx, s.call.deadline)
	}
	if !s.lastAttempt(s.call.counted() + 1) {
		s.codec, s.name = codecOf(opts)
	}
	a, f := s.open()
	if f != nil {
		var stop StopReason
		if a, f, stop = s.next(a, f); stop != "" {
			s.current = a
			s.end(f, stop)
			s.conclude(s.err)
			return nil, s.err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin(a)
	return s, nil
}

// endless is the deadline of a stream that has none.
const endless = 100 * 365 * 24 * time.Hour

// setStreamDeadline decides when a stream must be over: only its caller and its method can say so.
func (c *call) setStreamDeadline(ctx context.Context, now time.Time) {
	callers, has := ctx.Deadline()
	if !has {
		callers = now.Add(endless)
	}
	c.deadline, c.endless = callers, !has
	if own := &c.policy.deadline; own.Stated() && now.Add(own.Value).Before(callers) {
		c.deadline, c.limit, c.endless = now.Add(own.Value), own, false
	}
}

// lastAttempt reports whether attempt n, counted from 1, can be followed by no other.
func (s *stream) lastAttempt(n int) bool {
	return n >= s.call.policy.attempts || s.call.leftToGRPC()
}

// await waits while another operation decides about another attempt.
func (s *stream) await() {
	for s.state == streamDeciding {
		s.changed.Wait()
	}
}

// unlocked runs code of gRPC and of interceptors without the lock, and counts it as at work meanwhile. If that panics
// or ends its goroutine, the stream ends for all other operations.
func (s *stream) unlocked(work *int, run func()) {
	*work++
	s.mu.Unlock()
	returned := false
	defer func() {
		s.mu.Lock()
		*work--
		if !returned {
			s.collapse()
		}
	}()
	run()
	returned = true
}

// decide is unlocked for an operation that decides about another attempt.
func (s *stream) decide(run func()) {
	s.state = streamDeciding
	var alone int
	defer func() {
		if s.state == streamDeciding {
			s.state = streamTrying
		}
		s.changed.Broadcast()
	}()
	s.unlocked(&alone, run)
}

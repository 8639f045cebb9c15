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
func (r *Retrier) StreamClientInterceptor(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return r.stream(ctx, wire{method: method, conn: cc, nativeOff: r.extras.nativeOff}, desc, streamer, opts)
}

// dialledStream is StreamClientInterceptor for a channel that was dialled with DialOptions.
func (r *Retrier) dialledStream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return r.stream(ctx, wire{method: method, conn: cc, nativeOff: true}, desc, streamer, opts)
}

// stream is a stream and its attempts. It follows gRPC's rules of concurrency: one goroutine may send while another one
// receives, and the header, the context and the trailer may be asked for beside them.
//
// At first each operation goes to the current attempt under a lock, which is not held while gRPC is at work, and what is
// sent is kept. Whoever finds that the attempt has failed decides about another one; all others wait for that. Once the
// stream is committed, operations go straight through.
type stream struct {
	*call
	desc     *grpc.StreamDesc
	streamer grpc.Streamer
	caller   context.Context    // of the call
	ctx      context.Context    // of its attempts: it also ends at the deadline that the method states
	release  context.CancelFunc // of ctx, nil if it is caller
	opts     []grpc.CallOption  // of the caller
	resumes  *resumption        // nil unless the application says how the stream goes on

	codec codec // nil if messages cannot be kept
	name  string

	won    atomic.Pointer[streamAttempt] // the attempt that the caller has something of, so that no other follows
	direct atomic.Pointer[streamAttempt] // the attempt that messages go to without being kept

	mu        sync.Mutex
	changed   sync.Cond // of everything below
	current   *streamAttempt
	deciding  bool // whether there is another attempt
	receiving bool
	sending   bool
	waiting   int // for the header
	replay    replay
	closed    bool       // the caller sends nothing more
	stop      StopReason // why no other attempt follows
	over      bool       // no attempt is left to ask
	err       error      // how it is over
	answered  bool       // by the attempt that has won
	arrived   bool       // the endpoint of that is kept
	concluded bool
	tell      bool // the caller's OnFinish has to be called with told
	told      error

	ending  atomic.Bool // the options are filled, or about to be
	filling sync.Mutex  // held by whoever fills them
}

func (r *Retrier) stream(ctx context.Context, w wire, desc *grpc.StreamDesc, streamer grpc.Streamer, opts []grpc.CallOption) (grpc.ClientStream, error) {
	m, err := r.method(w.method)
	if err != nil {
		return nil, finish(opts, err)
	}
	s := &stream{
		desc: desc, streamer: streamer, caller: ctx, ctx: ctx, opts: opts,
		replay: replay{memory: r.extras.memory, limit: r.extras.replayLimit},
	}
	s.changed.L = &s.mu
	s.call, s.resumes = r.joined(ctx, w.method, desc)
	if s.call == nil {
		s.call = &call{retrier: r, policy: m}
		s.setStreamDeadline(ctx, time.Now())
		s.showDeadline(ctx)
	}
	if s.resumes != nil {
		s.resumes.call = s.call
	}
	s.wire, s.policy = w, m
	if s.limit != nil {
		s.ctx, s.release = context.WithDeadline(ctx, s.deadline)
	}
	if !s.lastAttempt(s.attempts + 1) {
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
	s.begin(a)
	s.mu.Unlock()
	return s, nil
}

// endless is the deadline of a stream for which nobody states one.
const endless = 100 * 365 * 24 * time.Hour

// setStreamDeadline decides when a stream must be over: only its caller and its method can say so.
func (c *call) setStreamDeadline(ctx context.Context, now time.Time) {
	callers, has := ctx.Deadline()
	if !has {
		callers = now.Add(endless)
	}
	c.deadline = callers
	if own := &c.policy.deadline; own.Stated() && now.Add(own.Value).Before(callers) {
		c.deadline, c.limit = now.Add(own.Value), own
	}
}

// lastAttempt tells whether attempt n, counted from 1, can be followed by no other.
func (s *stream) lastAttempt(n int) bool { return n >= s.policy.attempts || s.leftToGRPC() }

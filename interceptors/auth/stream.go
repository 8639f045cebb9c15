package auth

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"google.golang.org/grpc"

	"github.com/parley-rpc/parley/interceptors/auth/internal/conn"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/plannedend"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/rpcerr"
)

// StreamServerInterceptor is [Gate.UnaryServerInterceptor] for streams. A stream ends with the credentials that opened
// it, the caller's or the end user's, whichever is first, with its server ([WithPlannedEnd]), or when
// [policy.Table.Replace] brings policies that would not let it begin. The interceptor then answers PLANNED_END where
// another stream will do, CREDENTIALS_EXPIRED where the credential was revoked or is a user's, and what a new call
// would get where a policy refuses; the handler's context is cancelled with that error as its cause, and every Send
// and Receive of the handler fails. The handler sees a planned end coming with [plannedend.FromContext]. It runs on a
// goroutine of its own; a panic in it goes on in the interceptor.
func (g *Gate) StreamServerInterceptor(
	srv any,
	stream grpc.ServerStream,
	info *grpc.StreamServerInfo,
	handler grpc.StreamHandler,
) error {
	before, _ := g.view.Get(info.FullMethod)
	ctx, who, err := g.admit(stream.Context(), info.FullMethod, nil)
	if err != nil {
		return err
	}
	server := g.config.ending
	running := g.streams.begin(ctx, policy.Call{Method: info.FullMethod, Peer: who.peer, User: who.user})
	defer g.streams.end(running)
	if now, _ := g.view.Get(info.FullMethod); now != before { // a change between the decision and begin
		g.judgeStream(running)
	}
	session := who.session
	if session == nil && who.peer != nil {
		if session, err = g.identity.beginStream(who.token); err != nil {
			return g.turnAway(ctx, info.FullMethod, who, verify.CallerRefusal(err))
		}
		defer session.Release()
	}
	user, err := g.identity.beginUserStream(who.received)
	if err != nil {
		return g.turnAway(ctx, info.FullMethod, who, verify.CallerRefusal(err))
	}
	if user != nil {
		defer user.Release()
	}
	ending := plannedend.New()
	for _, known := range []*plannedend.Notice{server, session.Ending(), user.Ending()} {
		defer ending.Follow(known)()
	}
	ctx, cancel := context.WithCancelCause(plannedend.NewContext(ctx, ending))
	defer cancel(nil)
	done, left := make(chan outcome), make(chan struct{})
	go func() {
		o := outcome{panicked: errGoexit}
		defer func() {
			select {
			case done <- o:
			case <-left:
				g.identity.auditLate(ctx, info.FullMethod, o.panicked, o.stack)
			}
		}()
		o = run(handler, srv, &boundStream{ServerStream: stream, ctx: ctx})
	}()

	var refusal error
	select {
	case o := <-done:
		return o.result()
	case <-session.EndNow():
		refusal = endOf(session)
	case <-user.EndNow():
		refusal = endOf(user)
	case refusal = <-running.refused:
	case <-server.Ended():
		refusal = refuse(rpcerr.PlannedEnd, nil)
	}
	defer close(left)
	cancel(refusal)
	if rpcerr.ReasonOf(refusal) != rpcerr.PlannedEnd { // which is no refusal
		g.auditCall(ctx, running.call, refusal)
	}
	return refusal
}

// endOf is what a stream ends with when its session does.
func endOf(s *conn.Session) error {
	if s.EndsAsPlanned() {
		return refuse(rpcerr.PlannedEnd, nil)
	}
	return refuse(rpcerr.CredentialsExpired, nil)
}

// judgeAnew ends the streams that the policies would not let begin any more. Unary calls keep their decision: they end
// with their deadline, and what their handlers have done cannot be taken back.
func (g *Gate) judgeAnew() {
	for _, s := range g.streams.list() {
		g.judgeStream(s)
	}
}

func (g *Gate) judgeStream(s *runningStream) {
	p, undecided := g.view.Get(s.call.Method)
	if errors.Is(undecided, policy.ErrClosed) { // the gate ends, and no policy has changed
		return
	}
	if err := g.judge(s.ctx, p, undecided, s.call); err != nil {
		select {
		case s.refused <- err:
		default:
		}
	}
}

// boundStream is a stream whose context ends with the credentials that opened it.
type boundStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *boundStream) Context() context.Context { return s.ctx }

// SendMsg sends nothing more once the credential has ended.
func (s *boundStream) SendMsg(m any) error {
	if err := context.Cause(s.ctx); err != nil {
		return err
	}
	return s.ServerStream.SendMsg(m)
}

// RecvMsg receives nothing more once the credential has ended.
func (s *boundStream) RecvMsg(m any) error {
	if err := context.Cause(s.ctx); err != nil {
		return err
	}
	return s.ServerStream.RecvMsg(m)
}

var errGoexit = errors.New("the handler called runtime.Goexit")

// outcome is how a handler ended: with an error, or with a panic.
type outcome struct {
	err      error
	panicked any
	stack    []byte
}

func run(handler grpc.StreamHandler, srv any, stream grpc.ServerStream) (o outcome) {
	finished := false
	defer func() {
		if !finished {
			o = outcome{panicked: recover(), stack: debug.Stack()}
		}
	}()
	err := handler(srv, stream)
	finished = true
	return outcome{err: err}
}

func (o outcome) result() error {
	if o.panicked != nil {
		panic(&handlerPanic{value: o.panicked, stack: o.stack})
	}
	return o.err
}

// handlerPanic is the panic of a handler as it goes on in the interceptor, with the stack of where it began.
type handlerPanic struct {
	value any
	stack []byte
}

func (p *handlerPanic) Error() string { return fmt.Sprintf("%v\n\n%s", p.value, p.stack) }

// Unwrap returns the handler's value if that is an error.
func (p *handlerPanic) Unwrap() error {
	err, _ := p.value.(error)
	return err
}

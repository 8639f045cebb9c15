package auth

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/rpcerr"
)

// ErrUnproven matches the error of a call in token mode whose answer came without proof: from a server that has not
// proven its identity, or from something in front of it. Of such an answer only the status code and the message are
// passed on.
var ErrUnproven = errors.New("auth: the answer came without proof of the server's identity")

// tokenAttempt is one attempt in which a token may be sent, and then a proof must come back. The hook for credentials
// finds it in the context of the attempt.
type tokenAttempt struct {
	context.Context
	channel *Channel
	method  string
	level   policy.Proof
	sent    atomic.Pointer[credential] // what the wire attempt that was last sent carries; nil in connection mode
	when    atomic.Int64               // it was sent, in nanoseconds since 1970
	header  metadata.MD
	trailer metadata.MD // of a unary attempt where nobody outside asks for it

	judged  sync.Once // in a stream
	refusal error
}

type tokenAttemptKey struct{}

// Value finds the attempt in the context that it is.
func (e *tokenAttempt) Value(key any) any {
	if key == (tokenAttemptKey{}) {
		return e
	}
	return e.Context.Value(key)
}

// newTokenAttempt returns a tokenAttempt and the context that carries it, which are one allocation.
func (c *Channel) newTokenAttempt(ctx context.Context, method string) (context.Context, *tokenAttempt, error) {
	level, err := c.levels.Get(method)
	if err != nil {
		return nil, nil, refuse(rpcerr.ConfigurationInvalid, err)
	}
	e := &tokenAttempt{Context: ctx, channel: c, method: method, level: level}
	return e, e, nil
}

// send notes what the wire attempt that is about to be sent carries.
func (e *tokenAttempt) send(c *credential, now time.Time) {
	e.when.Store(now.UnixNano())
	e.sent.Store(c)
}

// sentAt is when that was.
func (e *tokenAttempt) sentAt() time.Time { return time.Unix(0, e.when.Load()) }

// attemptUnary runs a unary attempt, twice if the server, proven, finds the token to be expired and nobody outside
// retries: its handler did not run.
func (c *Channel) attemptUnary(
	ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker,
	opts []grpc.CallOption,
) error {
	ctx, a := attempt.Ensure(ctx)
	var room [4]grpc.CallOption
	for again := false; ; again = true {
		ctx, e, err := c.newTokenAttempt(ctx, method)
		if err != nil {
			return err
		}
		asked, trailer := e.ask(append(room[:0], opts...))
		err = a.Invoke(ctx, method, req, reply, cc, invoker, asked...)
		if wrong := e.verify(e.header, err); wrong != nil {
			forget(reply, opts)
			if !errors.Is(wrong, ErrUnproven) {
				c.identity.auditReply(ctx, method, wrong)
			}
			return c.explain(wrong, a, cc)
		}
		if again || !e.renew(ctx, err, *trailer) {
			return c.explain(err, a, cc)
		}
	}
}

// ask adds to the options of a unary attempt what the attempt needs to know of the answer, and returns where the
// trailer will be. GRPC copies the trailer for everybody who asks for it, so where somebody does, the attempt does
// not.
func (e *tokenAttempt) ask(opts []grpc.CallOption) (all []grpc.CallOption, trailer *metadata.MD) {
	for _, o := range opts {
		if o, ok := o.(grpc.TrailerCallOption); ok {
			*o.TrailerAddr = nil // that of an earlier attempt
			trailer = o.TrailerAddr
		}
	}
	if trailer == nil {
		trailer = &e.trailer
		opts = append(opts, grpc.Trailer(trailer))
	}
	return append(opts, grpc.Header(&e.header)), trailer
}

// verify reports whether the outcome of an attempt may be believed. An error takes its place.
func (e *tokenAttempt) verify(header metadata.MD, outcome error) error {
	sent := e.sent.Load()
	if sent == nil {
		return nil // nothing was sent, or the connection has proven the server
	}
	err := e.channel.checkReply(e, header, e, sent)
	if err == nil {
		return nil
	}
	if outcome != nil && errors.Is(err, rpcerr.ServerProofMissing) {
		return unproven(outcome)
	}
	return err
}

// renew takes a new token where the proven server finds the one that was sent to be expired: the trailer must say that
// the handler did not run, because the reason alone may come from a server behind that one. It reports whether the
// attempt is to be made again here, which it is not where whoever retries the call does so.
func (e *tokenAttempt) renew(ctx context.Context, outcome error, trailer metadata.MD) bool {
	sent := e.sent.Load()
	if outcome == nil || sent == nil || !rpcerr.Unprocessed(trailer) ||
		status.Code(outcome) != codes.Unauthenticated || rpcerr.ReasonOf(outcome) != rpcerr.CredentialsExpired {
		return false
	}
	this := attempt.FromContext(ctx)
	if this.FollowsRenewal() || !e.channel.renew(ctx, sent) {
		return false
	}
	if this.Renewable() {
		this.Renew()
		return false
	}
	return true
}

// forget takes back what gRPC has filled in from an answer that is not to be believed.
func forget(reply any, opts []grpc.CallOption) {
	if m, ok := reply.(proto.Message); ok {
		proto.Reset(m)
	}
	for _, o := range opts {
		switch o := o.(type) {
		case grpc.HeaderCallOption:
			*o.HeaderAddr = nil
		case grpc.TrailerCallOption:
			*o.TrailerAddr = nil
		}
	}
}

// unprovenError is the status of an answer without proof. It has no details: reasons, pushback and the like are a
// server's word.
type unprovenError struct{ status *status.Status }

func unproven(err error) error {
	said := status.Convert(err)
	return &unprovenError{status.New(said.Code(), said.Message())}
}

func (u *unprovenError) Error() string { return u.status.Err().Error() }

// GRPCStatus is code and message.
func (u *unprovenError) GRPCStatus() *status.Status { return u.status }

func (u *unprovenError) Is(target error) bool { return target == ErrUnproven }

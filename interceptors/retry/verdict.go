package retry

import (
	"context"
	"errors"
	"net"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/rpcerr"
)

// Verdict is what the error of an operation means for another attempt. The zero value allows none.
type Verdict struct {
	// Retryable tells that the error may go away by itself.
	Retryable bool
	// NotRun tells that the attempt provably did nothing, so that even what must not be repeated may be tried again. It
	// implies Retryable.
	NotRun bool
	// Pushback is what the other side said about when to try again, if anything, such as a Retry-After of HTTP.
	Pushback rpcerr.Pushback
}

// Classify is the verdict on an error where an [Operation] has no function of its own. The first of these facts decides:
//
//   - a call within the operation has itself given up trying ([Error]), or a context has ended: no other attempt
//   - the error has a method Retryable() bool, anywhere in its chain: its answer
//   - it has a gRPC status: UNAVAILABLE, and RESOURCE_EXHAUSTED with a google.rpc.RetryInfo, which is waited for
//   - a connection could not be opened (*net.OpError of "dial"): nothing was done, so yes
//   - it has a method Temporary() bool: its answer
//
// Everything else is not tried again.
func Classify(err error) Verdict {
	var retryable interface{ Retryable() bool }
	var temporary interface{ Temporary() bool }
	var op *net.OpError
	switch {
	case err == nil, gaveUp(err), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Verdict{}
	case errors.As(err, &retryable):
		return Verdict{Retryable: retryable.Retryable()}
	}
	if st, ok := status.FromError(err); ok {
		return classifyStatus(st)
	}
	switch {
	case errors.As(err, &op) && op.Op == "dial":
		return Verdict{Retryable: true, NotRun: true}
	case errors.As(err, &temporary):
		return Verdict{Retryable: temporary.Temporary()}
	default:
		return Verdict{}
	}
}

func classifyStatus(st *status.Status) Verdict {
	h := hintOf(st, nil)
	v := Verdict{Pushback: rpcerr.Pushback{Said: h.said, Wait: h.wait}}
	switch {
	case st.Code() == codes.ResourceExhausted, h.quota:
		v.Retryable = h.said
	default:
		v.Retryable = st.Code() == codes.Unavailable
	}
	return v
}

// classified tells whether the failure of an operation may go away.
func (c *call) classified(f *failure) bool {
	v := c.classify(f.err)
	f.unprocessed, f.hint = v.NotRun, hint{pushback: v.Pushback}
	return v.Retryable || v.NotRun
}

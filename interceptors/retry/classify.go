package retry

import (
	"context"
	"errors"
	"net"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/parley-rpc/parley/rpcerr"
)

// Classification is the meaning of an operation's error for another attempt. The zero value allows none.
type Classification struct {
	// Retryable says that the error may go away by itself.
	Retryable bool
	// NotRun reports that the attempt certainly had no effect, so that even an operation that must not be repeated may be
	// retried. It implies Retryable.
	NotRun bool
	// Pushback is the other side's statement of when to retry, if any, such as a Retry-After of HTTP.
	Pushback rpcerr.Pushback
}

// Classify is the verdict on an error where an [Operation] has no function of its own. The first of these facts
// decides:
//
//   - a call within the operation has itself given up trying ([Error]), or a context has ended: no other attempt
//   - the error has a method Retryable() bool, anywhere in its chain: its answer
//   - it has a gRPC status: UNAVAILABLE, and RESOURCE_EXHAUSTED with a google.rpc.RetryInfo, which is waited for
//   - a connection could not be opened (*net.OpError of "dial"): nothing was done, so yes
//   - it has a method Temporary() bool: its answer
//
// Everything else is not tried again.
func Classify(err error) Classification {
	var retryable interface{ Retryable() bool }
	var temporary interface{ Temporary() bool }
	var op *net.OpError
	switch {
	case err == nil, gaveUp(err), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Classification{}
	case errors.As(err, &retryable):
		return Classification{Retryable: retryable.Retryable()}
	}
	if st, ok := status.FromError(err); ok {
		return classifyStatus(st)
	}
	switch {
	case errors.As(err, &op) && op.Op == "dial":
		return Classification{Retryable: true, NotRun: true}
	case errors.As(err, &temporary):
		return Classification{Retryable: temporary.Temporary()}
	default:
		return Classification{}
	}
}

func classifyStatus(st *status.Status) Classification {
	h := hintOf(st, nil)
	v := Classification{Pushback: rpcerr.Pushback{Said: h.said, Wait: h.wait}}
	switch {
	case st.Code() == codes.ResourceExhausted, h.quota:
		v.Retryable = h.said
	default:
		v.Retryable = st.Code() == codes.Unavailable
	}
	return v
}

// classified reports whether the failure of an operation may go away.
func (c *call) classified(f *failure) bool {
	v := c.classify(f.err)
	f.unprocessed, f.hint = v.NotRun, hint{pushback: v.Pushback}
	return v.Retryable || v.NotRun
}

// hint is the server's statement about another attempt.
type hint struct {
	pushback rpcerr.Pushback
	// What google.rpc.RetryInfo asks for, if said.
	wait time.Duration
	said bool
	// Whether a google.rpc.QuotaFailure says that a quota is used up.
	quota bool
}

func hintOf(st *status.Status, trailer metadata.MD) hint {
	h := hint{pushback: rpcerr.PushbackOf(trailer)}
	for _, detail := range st.Proto().GetDetails() {
		switch {
		case detail.MessageIs((*errdetails.QuotaFailure)(nil)):
			h.quota = true
		case detail.MessageIs((*errdetails.RetryInfo)(nil)):
			h.readRetryInfo(detail)
		}
	}
	return h
}

// readRetryInfo takes a delay that is missing, malformed or negative for no word at all.
func (h *hint) readRetryInfo(detail *anypb.Any) {
	var info errdetails.RetryInfo
	if detail.UnmarshalTo(&info) != nil || info.GetRetryDelay().CheckValid() != nil {
		return
	}
	if delay := info.GetRetryDelay().AsDuration(); delay >= 0 {
		h.said, h.wait = true, max(h.wait, delay)
	}
}

// any reports whether the server said anything about when to try again.
func (h hint) any() bool { return h.said || h.pushback.Said }

// source returns the name of the source of the wait, for the span.
func (h hint) source() string {
	switch {
	case h.pushback.Said:
		return "pushback"
	case h.said:
		return "retry_info"
	default:
		return "policy"
	}
}

package retry

import (
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/parley-rpc/parley/rpcerr"
)

// hint is what the server said about another attempt.
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

// any tells whether the server said anything about when to try again.
func (h hint) any() bool { return h.said || h.pushback.Said }

// source names what decides the wait, for the span.
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

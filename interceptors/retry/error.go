package retry

import (
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/policy"
)

// Error is how a failed call ends, however many attempts it had. Find it with errors.As. A stream returns it from
// whichever operation gRPC would return the status.
//
// Its status, as status.FromError and status.Code see it, is the one of the last attempt, unless the caller gave up or
// the deadline passed: then it is CANCELLED or DEADLINE_EXCEEDED with a message that names the number of attempts, the
// reason and the last status.
type Error struct {
	// Attempts counts the attempts that were made; for [Resume] from the last message on. It is 0 if the caller or its
	// time was gone before the first one, the Retrier was closed, or a [Breaker] stopped the call.
	Attempts int
	// Reason says why there was no further one.
	Reason StopReason
	// Last is the error of the last attempt that ended by itself, or of the last one if none did.
	Last error
	// Endpoints holds for each attempt, in order, the address that it reached ("10.0.0.7:8443"), or "" for one that
	// reached none. For an attempt that was abandoned it is the one that it was sent to, if the balancing policy said so
	// (see package discovery/grpcbalancer). It is all empty strings if no innermost interceptor of Parley runs (see package attempt).
	Endpoints []string

	status *status.Status
	// The text is that of Last, which is no error of gRPC.
	foreign bool
}

// Error is the text of the status, followed by the number of attempts and the reason. A call whose one attempt failed in a
// way that nobody would retry, and a stream that fails after it has delivered something, have the text that gRPC gives
// them, as programs without retry know it.
func (e *Error) Error() string {
	text := "rpc error"
	if e.foreign && e.Last != nil {
		text = e.Last.Error()
	} else if err := e.status.Err(); err != nil {
		text = err.Error()
	}
	if e.Attempts == 1 && e.Reason == StopNotRetryable || e.Reason == StopCommitted {
		return text
	}
	return text + " (" + counted(e.Attempts) + ": " + string(e.Reason) + ")"
}

// GRPCStatus is the status of the call.
func (e *Error) GRPCStatus() *status.Status { return e.status }

// Unwrap returns Last.
func (e *Error) Unwrap() error { return e.Last }

// FromCall tells that the error came out of a client call, so that what a hop below said of itself goes no further (see
// package rpcerr).
func (e *Error) FromCall() bool { return true }

// statusOf is the status of an attempt's error. It also understands the errors of contexts, which interceptors between
// the retrier and gRPC may return.
func statusOf(err error) *status.Status {
	if st, ok := status.FromError(err); ok {
		return st
	}
	return status.FromContextError(err)
}

// endStatus is the status of a call that ended before its attempts did: by the caller, or at its deadline. Limit is that
// deadline if the retrier set it, and nil for the caller's own.
func endStatus(reason StopReason, attempts int, limit *policy.Value[time.Duration], last error) *status.Status {
	c, who := codes.Canceled, "the caller gave up"
	if reason == StopDeadline {
		c, who = codes.DeadlineExceeded, "the caller's deadline passed"
		if limit != nil {
			who = "the deadline of " + limit.Value.String() + " (" + limit.Source.String() + ") passed"
		}
	}
	if attempts == 0 {
		return status.New(c, who+" before the first attempt ("+string(reason)+")")
	}
	text := who + " after " + counted(attempts) + " (" + string(reason) + ")"
	if st := statusOf(last); st.Message() != "" {
		text += "; last status: " + codeName(st.Code()) + ": " + st.Message()
	} else {
		text += "; last status: " + codeName(st.Code())
	}
	return status.New(c, text)
}

func counted(attempts int) string {
	if attempts == 1 {
		return "1 attempt"
	}
	return strconv.Itoa(attempts) + " attempts"
}

// codeName is the name of a status code as google.rpc.Code and gRPC's specification have it: "UNAVAILABLE".
func codeName(c codes.Code) string {
	return code.Code(c).String() //nolint:gosec // the numbers of status codes are small
}

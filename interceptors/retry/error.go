package retry

import (
	"context"
	"errors"
	"strconv"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
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
	// Reason is the reason why there was no further attempt.
	Reason StopReason
	// Last is the error of the last attempt that ended by itself, or of the last one if none did.
	Last error
	// Endpoints holds for each attempt, in order, the address that it reached ("10.0.0.7:8443"), or "" for one that
	// reached none. For an attempt that was abandoned it is the one that it was sent to, if the balancing policy said so
	// (see package discovery/grpcbalancer). It is all empty strings if no innermost interceptor of Parley runs (see
	// package attempt).
	Endpoints []string

	status *status.Status
	// The error of an operation, which need not be one of gRPC.
	operation bool
	// The deadline passed, or the caller gave up.
	gone bool
}

// Error is the text of the status, followed by the number of attempts and the reason. A call whose one attempt failed
// in a way that is never retried, and a stream that fails after it has delivered something, have the text that gRPC
// gives them, as programs without retry know it. The text of an operation's error is that of Last, where it ended by
// itself.
func (e *Error) Error() string {
	text := "rpc error"
	switch err := e.status.Err(); {
	case e.operation && e.gone:
		return e.status.Message()
	case e.operation && e.Last != nil:
		text = e.Last.Error()
	case err != nil:
		text = err.Error()
	}
	if e.Attempts == 1 && e.Reason == StopNotRetryable || e.Reason == StopCommitted {
		return text
	}
	return text + " (" + counted(e.Attempts) + ": " + string(e.Reason) + ")"
}

// Is reports whether the error of an operation came of the end of its context or its deadline, and target is
// context.Canceled or context.DeadlineExceeded, whichever it was. Calls of gRPC say so by their status alone.
func (e *Error) Is(target error) bool {
	switch {
	case !e.operation || !e.gone:
		return false
	case e.Reason == StopCanceled:
		return target == context.Canceled
	default:
		return target == context.DeadlineExceeded
	}
}

// Timeout reports whether time was up, as net.Error and url.Error have it.
func (e *Error) Timeout() bool {
	var timeout interface{ Timeout() bool }
	return e.gone && e.Reason == StopDeadline || errors.As(e.Last, &timeout) && timeout.Timeout()
}

// GRPCStatus is the status of the call.
func (e *Error) GRPCStatus() *status.Status { return e.status }

// Unwrap returns Last.
func (e *Error) Unwrap() error { return e.Last }

// FromCall reports that this is an error of a client call, so that the statements of that hop are not passed on (see
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

// endStatus is the status of a call that ended before its attempts did: by the caller, or at its deadline.
func (c *call) endStatus(reason StopReason) *status.Status {
	ends, who := codes.Canceled, "the caller gave up"
	if reason == StopDeadline {
		ends, who = codes.DeadlineExceeded, "the caller's deadline passed"
		if c.limit != nil {
			who = "the deadline of " + c.limit.Value.String() + " (" + c.limit.Source.String() + ") passed"
		}
	}
	if c.attempts == 0 {
		return status.New(ends, who+" before the first attempt ("+string(reason)+")")
	}
	return status.New(ends, who+" after "+counted(c.attempts)+" ("+string(reason)+"); "+c.lastText())
}

// lastText describes the end of the last attempt.
func (c *call) lastText() string {
	if c.classify != nil {
		return "last error: " + c.last.Error()
	}
	st := statusOf(c.last)
	if st.Message() == "" {
		return "last status: " + codeName(st.Code())
	}
	return "last status: " + codeName(st.Code()) + ": " + st.Message()
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

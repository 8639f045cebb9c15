package rpcerr

import (
	"errors"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Error is a refusal by Parley. What its status shows is public; its cause stays in the process.
type Error struct {
	// Code is the status code of the refusal.
	Code codes.Code
	// Reason is its public reason.
	Reason Reason
	// Message is its public message. It must not depend on why a credential was refused.
	Message string
	// Cause is what really happened, for logs. It never leaves the process through a status. May be nil.
	Cause error
}

// New returns a refusal. Cause may be nil.
func New(code codes.Code, reason Reason, message string, cause error) *Error {
	return &Error{Code: code, Reason: reason, Message: message, Cause: cause}
}

// Error is the full text with the cause, for the logs of this process.
func (e *Error) Error() string {
	text := string(e.Reason) + ": " + e.Message
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is reports whether target is the error's reason.
func (e *Error) Is(target error) bool {
	reason, ok := target.(Reason)
	return ok && reason == e.Reason
}

// GRPCStatus is the public face of the error: code, message and a google.rpc.ErrorInfo with the reason.
func (e *Error) GRPCStatus() *status.Status {
	bare := status.New(e.Code, e.Message)
	detailed, err := bare.WithDetails(&errdetails.ErrorInfo{Reason: string(e.Reason), Domain: Domain})
	if err != nil {
		return bare // only for codes.OK, which no refusal has
	}
	return detailed
}

// ReasonOf returns the reason that err carries, whether it was made in this process or received, and "" when it carries
// none.
func ReasonOf(err error) Reason {
	if err == nil {
		return ""
	}
	if refusal, ok := errors.AsType[*Error](err); ok {
		return refusal.Reason
	}
	st, ok := status.FromError(err)
	if !ok || len(st.Proto().GetDetails()) == 0 {
		return ""
	}
	for _, detail := range st.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.GetDomain() == Domain {
			return Reason(info.GetReason())
		}
	}
	return ""
}

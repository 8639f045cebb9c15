package rpcerr

import (
	"errors"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Error is a refusal by Parley. Its status is public. Its cause never leaves the process.
type Error struct {
	// Code is the status code of the refusal.
	Code codes.Code
	// Reason is its public reason.
	Reason Reason
	// Message is its public message. It must not depend on why a credential was refused.
	Message string
	// Cause is the real cause, for logs. It may contain text from a peer. Neither the status nor the text of the error
	// contains it. It may be nil.
	Cause error
}

// New returns a refusal with the code that belongs to the reason and a message of its own. Cause may be nil.
func New(reason Reason, message string, cause error) *Error {
	return &Error{Code: reason.Code(), Reason: reason, Message: message, Cause: cause}
}

// Refuse returns a refusal with the code and the message that belong to the reason. A reason that is not in the closed
// set gives a refusal for [CredentialsInvalid]. Cause may be nil.
func Refuse(reason Reason, cause error) *Error {
	known := reason.entry()
	if known.message == "" {
		known = CredentialsInvalid.entry()
	}
	return &Error{Code: known.code, Reason: known.reason, Message: known.message, Cause: cause}
}

// Error returns the public text. It does not contain the cause, because gRPC uses the text of an error that wraps this
// one as the message of a status.
func (e *Error) Error() string { return string(e.Reason) + ": " + e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is reports whether target is the error's reason.
func (e *Error) Is(target error) bool {
	reason, ok := target.(Reason)
	return ok && reason == e.Reason
}

// GRPCStatus returns the public status: code, message and a google.rpc.ErrorInfo with the reason.
func (e *Error) GRPCStatus() *status.Status {
	bare := status.New(e.Code, e.Message)
	detailed, err := bare.WithDetails(&errdetails.ErrorInfo{Reason: string(e.Reason), Domain: Domain})
	if err != nil {
		return bare // only for codes.OK, which no refusal has
	}
	return detailed
}

// ReasonOf returns the reason of err, which may come from this process or from a received status. It returns "" if err
// has no reason.
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

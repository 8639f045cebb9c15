package tracing

import (
	"unicode/utf8"

	rpccode "google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// numCodes is the number of gRPC status codes.
const numCodes = int(codes.Unauthenticated) + 1

// statusOf returns the status with which an RPC ended. For an error without a status it returns the status that gRPC
// would send.
func statusOf(err error) *status.Status {
	if err == nil {
		return nil
	}
	if st, ok := status.FromError(err); ok {
		return st
	}
	return status.FromContextError(err)
}

// unwound is the end of an operation by a panic.
type unwound struct{}

func (unwound) Error() string              { return "panic" }
func (unwound) GRPCStatus() *status.Status { return status.New(codes.Internal, "panic") }

// known maps an unknown code to UNKNOWN, as gRPC requires of receivers. This limits the number of labels.
func known(code codes.Code) codes.Code {
	if int(code) >= numCodes {
		return codes.Unknown
	}
	return code
}

// codeName returns the name of the code in the conventions: "DEADLINE_EXCEEDED".
func codeName(code codes.Code) string {
	return rpccode.Code(known(code)).String() //nolint:gosec // known codes are small
}

// clientFailed reports whether the status is an error for the caller: every status except OK.
func clientFailed(code codes.Code) bool { return code != codes.OK }

// serverFailed reports whether the status is an error of the server, rather than of its caller.
func serverFailed(code codes.Code) bool {
	switch code {
	case codes.Unknown, codes.DeadlineExceeded, codes.Unimplemented, codes.Internal, codes.Unavailable, codes.DataLoss:
		return true
	default:
		return false
	}
}

// describe returns a status message, shortened for a span.
func describe(message string) string {
	if len(message) <= maxDescriptionBytes {
		return message
	}
	end := maxDescriptionBytes
	for end > 0 && !utf8.RuneStart(message[end]) {
		end--
	}
	return message[:end]
}

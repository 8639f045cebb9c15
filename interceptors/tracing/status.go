package tracing

import (
	"unicode/utf8"

	rpccode "google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// numCodes is how many status codes gRPC knows.
const numCodes = int(codes.Unauthenticated) + 1

// statusOf returns the status with which an RPC ended. An error that is no status counts as what gRPC itself would send
// for it.
func statusOf(err error) *status.Status {
	if err == nil {
		return nil
	}
	if st, ok := status.FromError(err); ok {
		return st
	}
	return status.FromContextError(err)
}

// unwound is how an operation ends that a panic leaves.
type unwound struct{}

func (unwound) Error() string              { return "panic" }
func (unwound) GRPCStatus() *status.Status { return status.New(codes.Internal, "panic") }

// known maps a code that gRPC does not know to UNKNOWN, as gRPC demands of receivers. It bounds the number of labels.
func known(code codes.Code) codes.Code {
	if int(code) >= numCodes {
		return codes.Unknown
	}
	return code
}

// codeName is the code as the conventions spell it: "DEADLINE_EXCEEDED".
func codeName(code codes.Code) string {
	return rpccode.Code(known(code)).String() //nolint:gosec // known codes are small
}

// clientFailed reports whether the status is an error to the caller: every one but OK is.
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

// describe returns the part of a status message that is kept on a span.
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

package policy

import (
	"google.golang.org/grpc/codes"

	"github.com/parley-rpc/parley/internal/protoyaml/nearest"
)

// codeCount is the number of status codes.
const codeCount = codes.Unauthenticated + 1

// codeNames holds the name of each status code, as google.rpc.Code has it, at the code's number.
func codeNames() [codeCount]string {
	return [...]string{
		codes.OK:                 "OK",
		codes.Canceled:           "CANCELLED",
		codes.Unknown:            "UNKNOWN",
		codes.InvalidArgument:    "INVALID_ARGUMENT",
		codes.DeadlineExceeded:   "DEADLINE_EXCEEDED",
		codes.NotFound:           "NOT_FOUND",
		codes.AlreadyExists:      "ALREADY_EXISTS",
		codes.PermissionDenied:   "PERMISSION_DENIED",
		codes.ResourceExhausted:  "RESOURCE_EXHAUSTED",
		codes.FailedPrecondition: "FAILED_PRECONDITION",
		codes.Aborted:            "ABORTED",
		codes.OutOfRange:         "OUT_OF_RANGE",
		codes.Unimplemented:      "UNIMPLEMENTED",
		codes.Internal:           "INTERNAL",
		codes.Unavailable:        "UNAVAILABLE",
		codes.DataLoss:           "DATA_LOSS",
		codes.Unauthenticated:    "UNAUTHENTICATED",
	}
}

// readCode returns the status code called name, or what is wrong with the name.
func readCode(name string) (codes.Code, string) {
	names := codeNames()
	if name == names[codes.OK] {
		return codes.OK, "OK is no failure; take it out"
	}
	for code := range codeCount {
		if name == names[code] {
			return code, ""
		}
	}
	if near := nearest.Of(name, names[codes.Canceled:]); near != "" {
		return codes.OK, quote(name) + " is no status code; did you mean " + quote(near) + "?"
	}
	return codes.OK, quote(name) + " is no status code; codes are written like \"UNAVAILABLE\""
}

func codeName(code codes.Code) string {
	if code < codeCount {
		return codeNames()[code]
	}
	return code.String()
}

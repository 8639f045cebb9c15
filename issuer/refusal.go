package issuer

import (
	"errors"
	"net/http"
	"time"
)

// refusal is an error answer (RFC 6749 section 5.2).
type refusal struct {
	status int
	code   string
	hint   string        // for the developer of the client: the mistake in the request, never in a credential
	cause  error         // only for the log
	after  time.Duration // when to try again, if known
}

func (r *refusal) Error() string { return r.code + ": " + r.cause.Error() }

func (r *refusal) Unwrap() error { return r.cause }

// badRequest refuses a malformed request.
func badRequest(hint string) *refusal {
	return &refusal{status: http.StatusBadRequest, code: "invalid_request", hint: hint, cause: errors.New(hint)}
}

// badSubject refuses an invalid user's token (RFC 8693 section 2.2.2). The answer is the same for all reasons.
func badSubject(cause error) *refusal {
	return &refusal{
		status: http.StatusBadRequest, code: "invalid_request", hint: "the subject_token is not accepted", cause: cause,
	}
}

// badClient refuses a caller that has not proven to be a client. The answer is the same for all reasons. The status is
// 400, because 401 requires an HTTP authentication scheme (RFC 9110 section 11.6.1), and there is none.
func badClient(cause error) *refusal {
	return &refusal{status: http.StatusBadRequest, code: "invalid_client", cause: cause}
}

func badScope(cause string) *refusal {
	return &refusal{status: http.StatusBadRequest, code: "invalid_scope", cause: errors.New(cause)}
}

// badTarget refuses the audience (RFC 8707 section 2, RFC 8693 section 2.2.2).
func badTarget(cause string) *refusal {
	return &refusal{status: http.StatusBadRequest, code: "invalid_target", cause: errors.New(cause)}
}

// notGranted refuses a request for which the authenticated client has no grant.
func notGranted(cause error) *refusal {
	return &refusal{status: http.StatusBadRequest, code: "unauthorized_client", cause: cause}
}

// tooMany and unavailable refuse a request that may succeed later.
func tooMany(cause string) *refusal {
	return &refusal{status: http.StatusTooManyRequests, code: "temporarily_unavailable", cause: errors.New(cause)}
}

func unavailable(cause error) *refusal {
	return &refusal{status: http.StatusServiceUnavailable, code: "temporarily_unavailable", cause: cause}
}

// refusalOf returns the refusal for any error.
func refusalOf(err error) *refusal {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	return &refusal{status: http.StatusInternalServerError, code: "server_error", cause: err}
}

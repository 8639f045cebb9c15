package issuer

import (
	"errors"
	"net/http"
	"time"
)

// refusal is an answer that is no token (RFC 6749 section 5.2).
type refusal struct {
	status int
	code   string
	hint   string        // for the developer of the client: what is wrong with the request, never with a credential
	cause  error         // for the log alone
	after  time.Duration // when to try again, where that is known
}

func (r *refusal) Error() string { return r.code + ": " + r.cause.Error() }

func (r *refusal) Unwrap() error { return r.cause }

// badRequest says what is wrong with the form of a request.
func badRequest(hint string) *refusal {
	return &refusal{status: http.StatusBadRequest, code: "invalid_request", hint: hint, cause: errors.New(hint)}
}

// badSubject is the one answer to every user's token that does not hold (RFC 8693 section 2.2.2).
func badSubject(cause error) *refusal {
	return &refusal{status: http.StatusBadRequest, code: "invalid_request", hint: "the subject_token is not accepted", cause: cause}
}

// badClient is the one answer to everybody who has not proven to be a client. The status is 400 because 401 would have to
// name an HTTP authentication scheme (RFC 9110 section 11.6.1), and there is none.
func badClient(cause error) *refusal {
	return &refusal{status: http.StatusBadRequest, code: "invalid_client", cause: cause}
}

func badScope(cause string) *refusal {
	return &refusal{status: http.StatusBadRequest, code: "invalid_scope", cause: errors.New(cause)}
}

// badTarget is about the audience (RFC 8707 section 2, RFC 8693 section 2.2.2).
func badTarget(cause string) *refusal {
	return &refusal{status: http.StatusBadRequest, code: "invalid_target", cause: errors.New(cause)}
}

// notGranted says that the client is known and may not ask for this at all.
func notGranted(cause error) *refusal {
	return &refusal{status: http.StatusBadRequest, code: "unauthorized_client", cause: cause}
}

// tooMany and unavailable say that the same request may succeed later.
func tooMany(cause string) *refusal {
	return &refusal{status: http.StatusTooManyRequests, code: "temporarily_unavailable", cause: errors.New(cause)}
}

func unavailable(cause error) *refusal {
	return &refusal{status: http.StatusServiceUnavailable, code: "temporarily_unavailable", cause: cause}
}

// refusalOf makes an answer of any error.
func refusalOf(err error) *refusal {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	return &refusal{status: http.StatusInternalServerError, code: "server_error", cause: err}
}

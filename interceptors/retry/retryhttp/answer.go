package retryhttp

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/rpcerr"
)

// idempotent reports whether a request may be repeated: by its method (RFC 9110, section 9.2.2), or because the server
// recognizes its key. As for net/http, a key without a value says so too, and is not sent.
func idempotent(req *http.Request) bool {
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	default:
		_, keyed := req.Header["Idempotency-Key"]
		_, older := req.Header["X-Idempotency-Key"]
		return keyed || older
	}
}

// replayable reports whether a request can be sent twice.
func replayable(req *http.Request) bool {
	return req.Body == nil || req.Body == http.NoBody || req.GetBody != nil
}

// failure is an answer that is no success.
type failure struct {
	status  int
	meaning retry.Classification
}

func (f *failure) Error() string {
	return "HTTP " + strconv.Itoa(f.status) + " " + http.StatusText(f.status)
}

// failureOf is what an answer means, nil for a success.
func failureOf(resp *http.Response) error {
	switch code := resp.StatusCode; {
	case code == http.StatusTooManyRequests,
		code == http.StatusBadGateway,
		code == http.StatusServiceUnavailable,
		code == http.StatusGatewayTimeout:
		return &failure{code, retry.Classification{Retryable: true, Pushback: retryAfter(resp.Header, time.Now())}}
	case code >= http.StatusInternalServerError:
		return &failure{status: code}
	default:
		return nil
	}
}

// retryAfter reads a Retry-After (RFC 9110, section 10.2.3). One that cannot be read says nothing, and a moment that
// has passed asks for no wait.
func retryAfter(header http.Header, now time.Time) rpcerr.Pushback {
	value := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return rpcerr.Pushback{Said: true, Wait: time.Duration(seconds) * time.Second}
	}
	if at, err := http.ParseTime(value); err == nil {
		return rpcerr.Pushback{Said: true, Wait: max(at.Sub(now), 0)}
	}
	return rpcerr.Pushback{}
}

// classify is what the error of an attempt means.
func classify(err error) retry.Classification {
	var answered *failure
	var op *net.OpError
	var timeout net.Error
	switch {
	case errors.As(err, &answered):
		return answered.meaning
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return retry.Classification{}
	case errors.As(err, &op):
		return retry.Classification{Retryable: true, NotRun: op.Op == "dial"}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return retry.Classification{Retryable: true}
	case errors.As(err, &timeout):
		return retry.Classification{Retryable: timeout.Timeout()}
	default:
		return retry.Classification{}
	}
}

// body releases what an attempt holds when its reader is done.
type body struct {
	io.ReadCloser
	release context.CancelFunc
}

func (b *body) Close() error {
	defer b.release()
	return b.ReadCloser.Close()
}

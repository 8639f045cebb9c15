package issuer_test

import (
	"bytes"
	"io"
	"net/http"
	"sync"
)

// endpoint is where the login service publishes its keys.
type endpoint struct {
	mu   sync.Mutex
	text []byte
	err  error
}

func (e *endpoint) publish(text []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.text, e.err = text, nil
}

func (e *endpoint) RoundTrip(*http.Request) (*http.Response, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err != nil {
		return nil, e.err
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(e.text)),
	}, nil
}

package retryhttp_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/interceptors/retry/retryhttp"
)

// trip is a transport that is a function.
type trip func(*http.Request) (*http.Response, error)

func (f trip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// dripping is a body that never ends while its request lives.
type dripping struct{ ctx context.Context }

func (d dripping) Read([]byte) (int, error) {
	<-d.ctx.Done()
	return 0, d.ctx.Err()
}

func (dripping) Close() error { return nil }

func hanging(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

func madeOf(t *testing.T, next trip, p retry.OperationPolicy) *retryhttp.Transport {
	t.Helper()
	transport, err := retryhttp.New(next, p, retry.WithRandom(func() float64 { return 0.5 }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = transport.Close() })
	return transport
}

func request(ctx context.Context, t *testing.T, method string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, "http://shop.example/orders", body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// The rest of a failed answer does not hold up the next attempt, and Close does not wait for it.
func TestFailedAnswerThatDrips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		transport := madeOf(t, func(req *http.Request) (*http.Response, error) {
			if sent++; sent == 1 {
				return &http.Response{StatusCode: http.StatusServiceUnavailable, Body: dripping{req.Context()}, Request: req}, nil
			}
			return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: req}, nil
		}, retry.OperationPolicy{Deadline: time.Second})
		start := time.Now()
		resp, err := transport.RoundTrip(request(t.Context(), t, http.MethodGet, nil))
		if err != nil || resp.StatusCode != http.StatusOK || sent != 2 {
			t.Fatal(resp, err, sent)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took != 25*ms+5*ms {
			t.Errorf("took %v, want the wait and 5ms", took)
		}
		if err := transport.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took != 30*ms {
			t.Errorf("closed after %v", took)
		}
	})
}

// Errors are what users of net/http look for.
func TestErrorsAreThoseOfNetHTTP(t *testing.T) {
	refused := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	for _, tt := range []struct {
		name    string
		next    trip
		cancel  bool
		timeout bool
		is      error
		text    string
	}{
		{"the deadline of the policy", hanging, false, true, context.DeadlineExceeded, "the deadline of 500ms (code retry.Operation) passed after 1 attempt (deadline)"},
		{"the caller gives up", hanging, true, false, context.Canceled, "the caller gave up after 1 attempt (canceled)"},
		{"no connection", func(*http.Request) (*http.Response, error) { return nil, refused }, false, false, refused, "dial: connection refused (3 attempts: attempts_exhausted)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tt.cancel {
					time.AfterFunc(100*ms, cancel)
				}
				client := &http.Client{Transport: madeOf(t, tt.next, retry.OperationPolicy{Deadline: 500 * ms})}
				resp, err := client.Do(request(ctx, t, http.MethodGet, nil))
				if err == nil {
					_ = resp.Body.Close()
					t.Fatal("no error")
				}
				failed, ok := errors.AsType[*url.Error](err)
				if !ok || failed.Timeout() != tt.timeout || !errors.Is(err, tt.is) {
					t.Errorf("got %v; Timeout() = %v", err, ok && failed.Timeout())
				}
				if text := err.Error(); !strings.Contains(text, tt.text) || strings.Contains(text, "rpc error") {
					t.Errorf("the text is %q, want %q in it", text, tt.text)
				}
				if _, ok := errors.AsType[*retry.Error](err); !ok {
					t.Error("it is no *retry.Error")
				}
			})
		})
	}
}

// The deadline and Close hold for a request that cannot be sent twice, too.
func TestRequestWithoutGetBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		transport := madeOf(t, func(req *http.Request) (*http.Response, error) {
			sent++
			return hanging(req)
		}, retry.OperationPolicy{Deadline: 500 * ms, MaxAttempts: 3})
		once := func() error {
			resp, err := transport.RoundTrip(request(t.Context(), t, http.MethodPut, io.MultiReader(strings.NewReader("body"))))
			if err == nil {
				_ = resp.Body.Close()
			}
			return err
		}
		start := time.Now()
		if err := once(); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 500*ms || sent != 1 {
			t.Errorf("got %v after %v and %d attempts", err, time.Since(start), sent)
		}
		if err := transport.Close(); err != nil {
			t.Error(err)
		}
		failed, ok := errors.AsType[*retry.Error](once())
		if !ok || failed.Reason != retry.StopClosing || sent != 1 || strings.Contains(failed.Error(), "rpc error") {
			t.Errorf("after Close: %v and %d attempts", failed, sent)
		}
	})
}

// A request is known to be repeatable by the same headers as for net/http.
func TestIdempotencyKeys(t *testing.T) {
	for name, tt := range map[string]struct {
		header http.Header
		sent   int
	}{
		"none":                {nil, 1},
		"a key":               {http.Header{"Idempotency-Key": {"a"}}, 2},
		"an older key":        {http.Header{"X-Idempotency-Key": {"a"}}, 2},
		"one that stays here": {http.Header{"Idempotency-Key": nil}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sent := 0
				transport := madeOf(t, func(req *http.Request) (*http.Response, error) {
					if sent++; sent == 1 {
						return &http.Response{StatusCode: http.StatusServiceUnavailable, Body: io.NopCloser(strings.NewReader("busy")), Request: req}, nil
					}
					return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: req}, nil
				}, retry.OperationPolicy{})
				req := request(t.Context(), t, http.MethodPost, strings.NewReader("order"))
				maps.Copy(req.Header, tt.header)
				resp, err := transport.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				_ = resp.Body.Close()
				if sent != tt.sent {
					t.Errorf("sent %d times, want %d", sent, tt.sent)
				}
			})
		})
	}
}

// A POST that nothing may follow has all the time of its deadline.
func TestTimeoutOfAPost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := madeOf(t, func(req *http.Request) (*http.Response, error) {
			select {
			case <-time.After(400 * ms):
				return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: req}, nil
			case <-req.Context().Done():
				return nil, req.Context().Err()
			}
		}, retry.OperationPolicy{Deadline: 2 * time.Second, PerAttemptTimeout: 250 * ms})
		resp, err := transport.RoundTrip(request(t.Context(), t, http.MethodPost, strings.NewReader("order")))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	})
}

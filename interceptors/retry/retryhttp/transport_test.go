package retryhttp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/interceptors/retry/retryhttp"
	"github.com/parley-rpc/parley/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ms = time.Millisecond

// answer is one answer of a scripted transport.
type answer struct {
	status int
	header [2]string
	err    error
	after  time.Duration
}

// wire is a transport with a script; the last answer stays.
type wire struct {
	script []answer
	sent   atomic.Int64
	open   atomic.Int64 // bodies of responses
	bodies []string
}

// counted is a body that tells when it is closed, and whether it was read to its end.
type counted struct {
	io.Reader
	ctx  context.Context
	open *atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.Reader.Read(p)
}

func (c *counted) Close() error {
	c.open.Add(-1)
	return nil
}

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	n := int(w.sent.Add(1))
	if req.Body != nil {
		text, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		w.bodies = append(w.bodies, string(text))
		if err := req.Body.Close(); err != nil {
			return nil, err
		}
	}
	a := w.script[min(n, len(w.script))-1]
	select {
	case <-time.After(a.after):
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	if a.err != nil {
		return nil, a.err
	}
	w.open.Add(1)
	resp := &http.Response{StatusCode: a.status, Header: http.Header{}, Request: req}
	resp.Body = &counted{strings.NewReader(fmt.Sprintf("answer %d", n)), req.Context(), &w.open}
	if a.header[0] != "" {
		resp.Header.Set(a.header[0], a.header[1])
	}
	return resp, nil
}

func newTransport(t *testing.T, w *wire, p retry.OperationPolicy) *retryhttp.Transport {
	t.Helper()
	transport, err := retryhttp.New(w, p, retry.WithRandom(func() float64 { return 0.5 }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := transport.Close(); err != nil {
			t.Error(err)
		}
	})
	return transport
}

func TestRoundTrip(t *testing.T) {
	reset := &net.OpError{Op: "read", Err: errors.New("connection reset by peer")}
	refused := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	busy, fine := answer{status: 503}, answer{status: 200}
	for _, tt := range []struct {
		name   string
		method string
		key    string // Idempotency-Key
		policy retry.OperationPolicy
		script []answer
		status int // 0 for an error
		sent   int
		took   time.Duration
	}{
		{name: "success", script: []answer{fine}, status: 200, sent: 1},
		{name: "503", script: []answer{busy, fine}, status: 200, sent: 2, took: 25 * ms},
		{name: "429", script: []answer{{status: 429}, fine}, status: 200, sent: 2, took: 25 * ms},
		{name: "502", script: []answer{{status: 502}, fine}, status: 200, sent: 2, took: 25 * ms},
		{name: "504", script: []answer{{status: 504}, fine}, status: 200, sent: 2, took: 25 * ms},
		{name: "500", script: []answer{{status: 500}, fine}, status: 500, sent: 1},
		{name: "501", script: []answer{{status: 501}, fine}, status: 501, sent: 1},
		{name: "404", script: []answer{{status: 404}, fine}, status: 404, sent: 1},
		{name: "the last response", script: []answer{busy}, status: 503, sent: 3, took: 75 * ms},
		{name: "PUT", method: http.MethodPut, script: []answer{busy, fine}, status: 200, sent: 2, took: 25 * ms},
		{name: "DELETE", method: http.MethodDelete, script: []answer{busy, fine}, status: 200, sent: 2, took: 25 * ms},
		{name: "POST", method: http.MethodPost, script: []answer{busy, fine}, status: 503, sent: 1},
		{name: "PATCH", method: http.MethodPatch, script: []answer{busy, fine}, status: 503, sent: 1},
		{name: "POST with a key", method: http.MethodPost, key: "order-42", script: []answer{busy, fine}, status: 200, sent: 2, took: 25 * ms},
		{name: "POST, refused", method: http.MethodPost, script: []answer{{err: refused}, fine}, status: 200, sent: 2, took: 25 * ms},
		{name: "POST, reset", method: http.MethodPost, script: []answer{{err: reset}, fine}, sent: 1},
		{name: "GET, reset", script: []answer{{err: reset}, fine}, status: 200, sent: 2, took: 25 * ms},
		{name: "GET, closed", script: []answer{{err: io.EOF}, fine}, status: 200, sent: 2, took: 25 * ms},
		{name: "an error that stays", script: []answer{{err: errors.New("unsupported protocol scheme")}}, sent: 1},
		{name: "an answer, then none", script: []answer{busy, {err: reset}}, sent: 3, took: 75 * ms},
		{name: "Retry-After in seconds", script: []answer{{status: 503, header: [2]string{"Retry-After", "2"}}, fine}, status: 200, sent: 2, took: 2*time.Second + 100*ms},
		{name: "Retry-After of 0", script: []answer{{status: 429, header: [2]string{"Retry-After", "0"}}, fine}, status: 200, sent: 2},
		{name: "Retry-After as a date", script: []answer{{status: 503, header: [2]string{"Retry-After", "Sat, 01 Jan 2000 00:00:03 GMT"}}, fine}, status: 200, sent: 2, took: 3*time.Second + 150*ms},
		{name: "Retry-After in the past", script: []answer{{status: 503, header: [2]string{"Retry-After", "Fri, 31 Dec 1999 00:00:00 GMT"}}, fine}, status: 200, sent: 2},
		{name: "Retry-After that cannot be read", script: []answer{{status: 503, header: [2]string{"Retry-After", "soon"}}, fine}, status: 200, sent: 2, took: 25 * ms},
		{name: "Retry-After beyond the deadline", script: []answer{{status: 503, header: [2]string{"Retry-After", "3600"}}, fine}, status: 503, sent: 1},
		{name: "no time for a wait", policy: retry.OperationPolicy{Deadline: 300 * ms, InitialBackoff: time.Second}, script: []answer{busy, fine}, status: 503, sent: 1},
		{name: "per-attempt timeout", policy: retry.OperationPolicy{PerAttemptTimeout: 100 * ms}, script: []answer{{after: time.Hour, status: 200}, fine}, status: 200, sent: 2, took: 125 * ms},
		{name: "deadline", policy: retry.OperationPolicy{Deadline: 100 * ms}, script: []answer{{after: time.Hour, status: 200}}, sent: 1, took: 100 * ms},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{script: tt.script}
				client := &http.Client{Transport: newTransport(t, w, tt.policy)}
				req, err := http.NewRequestWithContext(t.Context(), tt.method, "http://shop.example/orders", strings.NewReader("two shoes"))
				if err != nil {
					t.Fatal(err)
				}
				if tt.key != "" {
					req.Header.Set("Idempotency-Key", tt.key)
				}
				start := time.Now()
				resp, err := client.Do(req)
				if took := time.Since(start); took != tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
				if sent := int(w.sent.Load()); sent != tt.sent {
					t.Errorf("%d attempts, want %d", sent, tt.sent)
				}
				for _, body := range w.bodies {
					if body != "two shoes" {
						t.Errorf("an attempt carried %q", body)
					}
				}
				if tt.status == 0 {
					var failed *retry.Error
					if err == nil || !errors.As(err, &failed) || failed.Attempts != tt.sent {
						t.Errorf("Do = %v, want a *retry.Error after %d attempts", err, tt.sent)
					}
				} else if err != nil || resp.StatusCode != tt.status {
					t.Fatalf("Do = %v, %v; want the status %d", resp, err, tt.status)
				} else {
					time.Sleep(time.Hour) // nothing of the attempt bounds the body
					text, err := io.ReadAll(resp.Body)
					if want := fmt.Sprintf("answer %d", tt.sent); err != nil || string(text) != want {
						t.Errorf("the body is %q (%v), want %q", text, err, want)
					}
					if err := resp.Body.Close(); err != nil {
						t.Error(err)
					}
				}
				if open := w.open.Load(); open != 0 {
					t.Errorf("%d bodies of responses are open", open)
				}
			})
		})
	}
}

// A body that can be read once is sent once.
func TestBodyThatCannotBeReplayed(t *testing.T) {
	w := &wire{script: []answer{{status: 503}, {status: 200}}}
	client := &http.Client{Transport: newTransport(t, w, retry.OperationPolicy{})}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://shop.example/", io.NopCloser(bytes.NewBufferString("x")))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil || resp.StatusCode != http.StatusServiceUnavailable || w.sent.Load() != 1 {
		t.Fatalf("Do = %v, %v after %d attempts; want 503 after one", resp, err, w.sent.Load())
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
}

// The caller gives up during a wait: the answer that the caller does not see is closed, and the error is the context's.
func TestCallerGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{script: []answer{{status: 503, header: [2]string{"Retry-After", "5"}}}}
		client := &http.Client{Transport: newTransport(t, w, retry.OperationPolicy{})}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://shop.example/", nil)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		resp, err := client.Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		if !errors.Is(err, context.Canceled) || time.Since(start) != time.Second || w.open.Load() != 0 {
			t.Errorf("Do = %v after %v with %d open bodies; want CANCELLED after 1s and none", err, time.Since(start), w.open.Load())
		}
	})
}

// Each host has a budget of its own.
func TestBudgetOfEachHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{script: []answer{{status: 503}}}
		transport, err := retryhttp.New(w, retry.OperationPolicy{}, retry.WithBudget(retry.Budget{Ratio: 0.1, Max: 10}))
		if err != nil {
			t.Fatal(err)
		}
		defer transport.Close()
		client := &http.Client{Transport: transport}
		get := func(host string, n int) {
			for range n {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+"/", nil)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				_ = resp.Body.Close()
			}
		}
		get("one.example", 100)
		if got := w.sent.Load(); got != 110 {
			t.Errorf("%d attempts of 100 requests, want 110", got)
		}
		if one, two := transport.Retrier("one.example").BudgetBalance(), transport.Retrier("two.example").BudgetBalance(); one != 0 || two != 10 {
			t.Errorf("the balances are %v and %v, want 0 and 10", one, two)
		}
		w.sent.Store(0)
		for i := range 3000 {
			get(fmt.Sprintf("host-%d.example", i), 1)
		}
		if shared := transport.Retrier("host-2998.example"); shared != transport.Retrier("host-2999.example") || shared == transport.Retrier("two.example") {
			t.Error("hosts beyond the thousandth do not share a budget")
		}
	})
}

func TestTransportThatCannotBe(t *testing.T) {
	for want, transport := range map[string]func() (*retryhttp.Transport, error){
		"each request decides": func() (*retryhttp.Transport, error) {
			return retryhttp.New(nil, retry.OperationPolicy{Idempotency: policy.Idempotent})
		},
		"MaxAttempts": func() (*retryhttp.Transport, error) {
			return retryhttp.New(nil, retry.OperationPolicy{MaxAttempts: -1})
		},
		"Ratio is 2": func() (*retryhttp.Transport, error) {
			return retryhttp.New(nil, retry.OperationPolicy{}, retry.WithBudget(retry.Budget{Ratio: 2, Max: 1}))
		},
	} {
		if _, err := transport(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New = %v, want a word on %q", err, want)
		}
	}
}

func TestClosedTransportClosesTheBody(t *testing.T) {
	w := &wire{script: []answer{{status: 200}}}
	transport := newTransport(t, w, retry.OperationPolicy{})
	if err := transport.Close(); err != nil {
		t.Fatal(err)
	}
	var open atomic.Int64
	open.Store(1)
	body := &counted{strings.NewReader("x"), t.Context(), &open}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://shop.example/", body)
	if err != nil {
		t.Fatal(err)
	}
	req.GetBody = func() (io.ReadCloser, error) { return body, nil }
	if resp, err := transport.RoundTrip(req); err == nil {
		_ = resp.Body.Close()
		t.Error("a closed transport sent a request")
	}
	if open.Load() != 0 || w.sent.Load() != 0 {
		t.Errorf("%d bodies are open after %d attempts, want none after none", open.Load(), w.sent.Load())
	}
}

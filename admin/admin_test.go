package admin_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/admin"
	"github.com/parley-rpc/parley/waterfall"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	quote  = "shop.payments.v1.PaymentsService/GetQuote"
	charge = "shop.payments.v1.PaymentsService/Charge"
)

// recorder makes calls that a ring keeps.
type recorder struct {
	ring   *waterfall.Ring
	tracer trace.Tracer
}

func newRecorder(size int) *recorder {
	ring := waterfall.NewRing(size)
	return &recorder{ring, sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(ring)).Tracer("test")}
}

func (r *recorder) start(ctx context.Context, method string) trace.Span {
	_, span := r.tracer.Start(ctx, method, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("server.address", "payments")))
	return span
}

func end(span trace.Span, status string, attempts int) {
	span.SetAttributes(attribute.String("rpc.status_code", status), attribute.Int("parley.attempts", attempts))
	if status != "OK" {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// request is one to the admin surface, as curl on the same machine would send it.
func request(t *testing.T, method, target string, change ...func(*http.Request)) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	if !strings.HasPrefix(target, "http") {
		r.Host = "127.0.0.1:9090"
	}
	for _, c := range change {
		c(r)
	}
	return r
}

func answer(h http.Handler, r *http.Request) (int, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func get(t *testing.T, h http.Handler, target string) (int, string) {
	t.Helper()
	return answer(h, request(t, http.MethodGet, target))
}

// pipes is a network in memory with one listener.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

func (*pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "pipe"} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serve serves the handler in memory, and returns a client for it and its server. It must be called inside a bubble.
func serve(t *testing.T, h http.Handler) (*http.Client, *http.Server) {
	t.Helper()
	network := &pipes{make(chan net.Conn), make(chan struct{})}
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(network) }()
	transport := &http.Transport{DialContext: network.dial}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
	})
	return &http.Client{Transport: transport}, server
}

func openStream(t *testing.T, c *http.Client) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/calls/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func contains(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s lacks %q:\n%s", what, part, text)
		}
	}
}

var _ io.Closer = (*pipes)(nil)

var _ http.Handler = (*admin.Handler)(nil)

package telemetry_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectortraces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonv1 "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// collector is an OTLP collector that notes what it receives: "service: span or metric".
type collector struct {
	collectortraces.UnimplementedTraceServiceServer
	fail error
	hang func() // before it answers

	mu       sync.Mutex
	received []string
}

func (c *collector) note(service, what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.received = append(c.received, service+": "+what)
}

// all lists what was received, each once.
func (c *collector) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(c.received)
	return slices.Compact(slices.Clone(c.received))
}

func serviceName(attributes []*commonv1.KeyValue) string {
	for _, a := range attributes {
		if a.GetKey() == "service.name" {
			return a.GetValue().GetStringValue()
		}
	}
	return ""
}

// Export receives spans.
func (c *collector) Export(_ context.Context,
	request *collectortraces.ExportTraceServiceRequest,
) (*collectortraces.ExportTraceServiceResponse, error) {
	if c.hang != nil {
		c.hang()
	}
	for _, about := range request.GetResourceSpans() {
		for _, scope := range about.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				c.note(serviceName(about.GetResource().GetAttributes()), span.GetName())
			}
		}
	}
	return &collectortraces.ExportTraceServiceResponse{}, c.fail
}

// metricsCollector is the side of a collector that receives metrics.
type metricsCollector struct {
	collectormetrics.UnimplementedMetricsServiceServer
	*collector
}

// Export receives metrics. It leaves out those of the Go runtime and of the process, which always come.
func (c metricsCollector) Export(_ context.Context,
	request *collectormetrics.ExportMetricsServiceRequest,
) (*collectormetrics.ExportMetricsServiceResponse, error) {
	for _, about := range request.GetResourceMetrics() {
		for _, scope := range about.GetScopeMetrics() {
			for _, metric := range scope.GetMetrics() {
				if scope.GetScope().GetName() == "github.com/parley-rpc/parley/telemetry" {
					continue
				}
				c.note(serviceName(about.GetResource().GetAttributes()), metric.GetName())
			}
		}
	}
	return &collectormetrics.ExportMetricsServiceResponse{}, c.fail
}

// serveGRPC runs the collector on a loopback port and returns its URL.
func (c *collector) serveGRPC(t *testing.T) string {
	t.Helper()
	var listening net.ListenConfig
	listener, err := listening.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	collectortraces.RegisterTraceServiceServer(server, c)
	collectormetrics.RegisterMetricsServiceServer(server, metricsCollector{collector: c})
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return "http://" + listener.Addr().String()
}

// serveHTTP runs the collector on a loopback port and returns its URL.
func (c *collector) serveHTTP(t *testing.T) string {
	t.Helper()
	receive := func(request proto.Message, export func(context.Context) error) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err == nil {
				err = proto.Unmarshal(body, request)
			}
			if err == nil {
				err = export(r.Context())
			}
			if err != nil || r.Header.Get("Content-Type") != "application/x-protobuf" {
				http.Error(w, "not OTLP", http.StatusBadRequest)
			}
		}
	}
	mux := http.NewServeMux()
	var spans collectortraces.ExportTraceServiceRequest
	mux.Handle("POST /base/v1/traces", receive(&spans, func(ctx context.Context) error {
		_, err := c.Export(ctx, &spans)
		return err
	}))
	var metrics collectormetrics.ExportMetricsServiceRequest
	mux.Handle("POST /base/v1/metrics", receive(&metrics, func(ctx context.Context) error {
		_, err := metricsCollector{collector: c}.Export(ctx, &metrics)
		return err
	}))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL + "/base"
}

// wantReceived asserts that what was received is exactly this.
func (c *collector) wantReceived(t *testing.T, want ...string) {
	t.Helper()
	if got := c.all(); !slices.Equal(got, want) {
		t.Errorf("received\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

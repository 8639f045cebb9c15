package telemetry_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/telemetry"
)

func scrape(t *testing.T, tel *telemetry.Telemetry, accept string) *httptest.ResponseRecorder {
	t.Helper()
	answer := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
	request.Header.Set("Accept", accept)
	tel.MetricsHandler().ServeHTTP(answer, request)
	if answer.Code != http.StatusOK {
		t.Fatalf("%d %s", answer.Code, answer.Body)
	}
	return answer
}

// TestScrape says what Prometheus reads: only what this service measures, under the names of the conventions.
func TestScrape(t *testing.T) {
	tel := start(t, nil)
	call(t.Context(), newTracer(tel))
	answer := scrape(t, tel, "text/plain")
	for _, line := range []string{
		`rpc_client_call_duration_seconds_count{rpc_method="shop.payments.v1.PaymentsService/GetQuote",rpc_status_code="OK",rpc_system_name="grpc"} 1`,
		`grpc_client_attempt_started_total{grpc_method="shop.payments.v1.PaymentsService/GetQuote",grpc_target=""} 1`,
		`service_name="orders"`,
	} {
		if !strings.Contains(answer.Body.String(), line) {
			t.Errorf("no %s in\n%s", line, answer.Body)
		}
	}
	for _, foreign := range []string{"go_goroutines", "otel_scope_name"} {
		if strings.Contains(answer.Body.String(), foreign) {
			t.Errorf("%s was scraped too", foreign)
		}
	}
}

// TestOpenMetrics says that a scraper that asks for OpenMetrics gets it, with the trace of a call as its exemplar.
func TestOpenMetrics(t *testing.T) {
	tel := start(t, nil)
	sent := call(t.Context(), newTracer(tel))
	answer := scrape(t, tel, "application/openmetrics-text; version=1.0.0")
	if kind := answer.Header().Get("Content-Type"); !strings.HasPrefix(kind, "application/openmetrics-text") {
		t.Errorf("answered in %s", kind)
	}
	if !strings.Contains(answer.Body.String(), `trace_id="`+sent.TraceID().String()+`"`) {
		t.Errorf("no exemplar of %v in\n%s", sent.TraceID(), answer.Body)
	}
}

package admin_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/parley-rpc/parley/admin"
)

func TestProbes(t *testing.T) {
	yes, no := func() bool { return true }, func() bool { return false }
	for _, tc := range []struct {
		name         string
		live, ready  func() bool
		method, path string
		code         int
		body         string
	}{
		{"live", yes, no, http.MethodGet, "/livez", 200, "ok\n"},
		{"not ready", yes, no, http.MethodGet, "/readyz", 503, "unavailable\n"},
		{"ready", yes, yes, http.MethodGet, "/readyz", 200, "ok\n"},
		{"not live", no, yes, http.MethodGet, "/livez", 503, "unavailable\n"},
		{"nothing else is there", yes, yes, http.MethodGet, "/", 404, "404 page not found\n"},
		{"nothing can be changed", yes, yes, http.MethodPost, "/readyz", 405, "Method Not Allowed\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, body := answer(admin.Probes(tc.live, tc.ready), request(t, tc.method, tc.path))
			want(t, "the status", code, tc.code)
			want(t, "the body", body, tc.body)
		})
	}
}

func TestProbesAnswerUnderAnyHost(t *testing.T) {
	always := func() bool { return true }
	code, _ := get(t, admin.Probes(always, always), "http://10.0.0.1:8080/livez")
	want(t, "the status", code, 200)
}

func TestMetrics(t *testing.T) {
	exporter := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "up 1\n") })
	code, body := get(t, admin.Metrics(exporter), "http://10.0.0.1:8080/metrics")
	want(t, "the status", code, 200)
	want(t, "the body", body, "up 1\n")
	code, _ = get(t, admin.Metrics(exporter), "/")
	want(t, "the status of everything else", code, 404)
	code, _ = answer(admin.Metrics(exporter), request(t, http.MethodPost, "/metrics"))
	want(t, "the status of a POST", code, 405)
	code, _ = get(t, admin.Metrics(nil), "/metrics")
	want(t, "the status without an exporter", code, 404)
}

// The admin surface says which check fails, and what a policy source has.
func TestReadyWithDetails(t *testing.T) {
	ready := false
	h := admin.New(admin.Config{Ready: func() (bool, []admin.Check) {
		return ready, []admin.Check{
			{State: admin.Good, Name: "database", Detail: "ok"},
			{State: admin.Warning, Name: "orders.yaml", Detail: "needs a restart"},
			{State: admin.Bad, Name: "istio /etc/mesh", Detail: "a.yaml:3: wrong\nb.yaml:4: wrong"},
		}
	}})
	defer h.Close()
	const checks = "[+] database: ok\n[!] orders.yaml: needs a restart\n" +
		"[-] istio /etc/mesh: a.yaml:3: wrong; b.yaml:4: wrong\n"
	code, body := get(t, h, "/readyz")
	want(t, "the status", code, 503)
	want(t, "the body", body, checks+"not ready\n")
	ready = true
	code, body = get(t, h, "/readyz")
	want(t, "the status", code, 200)
	want(t, "the body", body, checks+"ready\n")
	without := admin.New(admin.Config{})
	defer without.Close()
	code, _ = get(t, without, "/readyz")
	want(t, "the status without readiness", code, 404)
}

package admin

import (
	"io"
	"net/http"
)

// Probes answers /livez and /readyz with 200 or 503, without detail. Live reports whether the process should go on,
// ready whether it should get calls; both are asked on every request and must be safe for concurrent use.
func Probes(live, ready func() bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", probe(live))
	mux.HandleFunc("GET /readyz", probe(ready))
	return mux
}

func probe(good func() bool) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		text := "ok\n"
		if !good() {
			w.WriteHeader(http.StatusServiceUnavailable)
			text = "unavailable\n"
		}
		_, _ = io.WriteString(w, text) // the client has gone
	}
}

// Metrics answers /metrics with the handler of a metrics exporter, and nothing else. A nil handler answers 404.
func Metrics(exporter http.Handler) http.Handler {
	mux := http.NewServeMux()
	if exporter != nil {
		mux.Handle("GET /metrics", exporter)
	}
	return mux
}

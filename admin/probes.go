package admin

import (
	"io"
	"net/http"
)

// Probes returns a handler that answers /livez and /readyz with 200 or 503, without details. Live reports whether the
// process should keep running, and ready reports whether it should get calls. Both are called on every request and must
// be safe for concurrent use.
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
		_, _ = io.WriteString(w, text) // an error means that the client is gone
	}
}

// Metrics returns a handler that answers only /metrics, with the handler of a metrics exporter. With a nil handler it
// answers 404.
func Metrics(exporter http.Handler) http.Handler {
	mux := http.NewServeMux()
	if exporter != nil {
		mux.Handle("GET /metrics", exporter)
	}
	return mux
}

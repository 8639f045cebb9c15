// Package admin has three HTTP surfaces for the operators of a service. Each should have its own address.
//
//   - [Probes] answers /livez and /readyz, without details. It may listen on any address.
//   - [Metrics] answers /metrics. The monitoring must be able to reach it.
//   - [New] is the admin surface: a live waterfall of recent calls, the state of the service, its configuration,
//     profiles, /readyz with details. It shows internals and has no login, so it must listen on a loopback address; see
//     [CheckLoopback].
//
// The admin surface is protected against pages of other sites in the operator's browser: it answers only to loopback
// host names, refuses requests from other sites, and changes nothing on GET. Its page runs only its own script, which
// treats all data from peers as text.
//
// The package only makes handlers. The program that serves them owns the listeners.
package admin

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Handler is the admin surface. It is safe for concurrent use.
type Handler struct {
	config   Config
	page     *page
	instance string // changes with every start, so that an open page notices a restart
	started  time.Time
	guarded  http.Handler

	streams  atomic.Int32
	ended    chan struct{}
	end      sync.Once
	shutdown sync.Once
}

// New returns the admin surface of a service. It starts no goroutines. Live pages end when the http.Server of the
// surface shuts down, or with [Handler.Close].
func New(config Config) *Handler {
	h := &Handler{config: config, page: newPage(), instance: rand.Text(), started: time.Now(), ended: make(chan struct{})}
	h.guarded = h.guard(h.routes())
	return h
}

// ServeHTTP serves the admin surface.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.guarded.ServeHTTP(w, r) }

// Close ends the open live pages and running profiles, and refuses new ones. It may be called several times.
func (h *Handler) Close() { h.end.Do(func() { close(h.ended) }) }

func (h *Handler) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", h.page)
	mux.HandleFunc("GET /calls", h.listCalls)
	mux.HandleFunc("GET /calls/stream", h.streamCalls)
	mux.HandleFunc("GET /calls/{trace}", h.showTrace)
	mux.HandleFunc("GET /status", h.status)
	mux.HandleFunc("GET /readyz", h.ready)
	mux.HandleFunc("GET /traffic", h.traffic)
	mux.HandleFunc("GET /refusals", h.refusals)
	mux.HandleFunc("GET /policies", h.policies)
	mux.HandleFunc("POST /explain", h.explain)
	mux.HandleFunc("GET /describe", h.describe)
	mux.HandleFunc("GET /loglevel", h.logLevel)
	mux.HandleFunc("POST /loglevel", h.setLogLevel)
	mux.HandleFunc("GET /switches", h.listSwitches)
	mux.HandleFunc("POST /switches", h.setSwitch)
	mux.HandleFunc("GET /debug/pprof/{$}", h.listProfiles)
	mux.HandleFunc("GET /debug/pprof/profile", h.cpuProfile)
	mux.HandleFunc("GET /debug/pprof/trace", h.executionTrace)
	mux.HandleFunc("GET /debug/pprof/{name}", h.profile)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, m := range h.config.Mounts {
			if m.Handler != nil && m.Path != "" && strings.HasPrefix(r.URL.Path, m.Path) {
				m.Handler.ServeHTTP(w, r)
				return
			}
		}
		mux.ServeHTTP(w, r)
	})
}

// untilEnd returns a context that ends with the request, with Close, and when the server of the request starts to shut
// down. Otherwise the server would wait for the request forever.
func (h *Handler) untilEnd(request context.Context) (context.Context, context.CancelFunc) {
	if server, ok := request.Value(http.ServerContextKey).(*http.Server); ok {
		h.shutdown.Do(func() { server.RegisterOnShutdown(h.Close) })
	}
	ctx, cancel := context.WithCancel(request)
	go func() {
		defer cancel()
		select {
		case <-h.ended:
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(v) // an error means that the client is gone
}

func setText(w http.ResponseWriter) { w.Header().Set("Content-Type", "text/plain; charset=utf-8") }

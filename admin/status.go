package admin

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// statusView is the JSON form of the status view.
type statusView struct {
	Service  string       `json:"service"`
	Instance string       `json:"instance"`
	Started  time.Time    `json:"started"`
	Now      time.Time    `json:"now"`
	Sections []table      `json:"sections"`
	Charts   []Chart      `json:"charts,omitempty"`
	Links    []link       `json:"links,omitempty"`
	LogLevel string       `json:"log_level,omitempty"`
	Switches []switchView `json:"switches,omitempty"`
}

type table struct {
	Title   string   `json:"title"`
	Columns []string `json:"columns,omitempty"`
	Rows    []Row    `json:"rows"`
	Empty   string   `json:"empty,omitempty"`
}

type link struct {
	Title string `json:"title"`
	Path  string `json:"path"`
}

func (h *Handler) status(w http.ResponseWriter, _ *http.Request) {
	view := statusView{
		Service: h.config.Service, Instance: h.instance, Started: h.started, Now: time.Now(),
		Switches: h.switches(),
	}
	for _, s := range append(slices.Clip(h.config.Sections), runtimeSection(h.started)) {
		t := table{Title: s.Title, Columns: s.Columns, Empty: s.Empty, Rows: []Row{}}
		if s.Rows != nil {
			t.Rows = append(t.Rows, s.Rows()...)
		}
		view.Sections = append(view.Sections, t)
	}
	if h.config.Charts != nil {
		view.Charts = h.config.Charts()
	}
	for _, m := range h.config.Mounts {
		view.Links = append(view.Links, link{m.Title, m.Path})
	}
	if h.config.LogLevel != nil {
		view.LogLevel = h.config.LogLevel.Level().String()
	}
	writeJSON(w, view)
}

// ready answers as /readyz of the probes does, with the checks.
func (h *Handler) ready(w http.ResponseWriter, _ *http.Request) {
	if h.config.Ready == nil {
		http.Error(w, "This service has no readiness.", http.StatusNotFound)
		return
	}
	ready, checks := h.config.Ready()
	setText(w)
	last := "ready\n"
	if !ready {
		w.WriteHeader(http.StatusServiceUnavailable)
		last = "not ready\n"
	}
	writeChecks(w, checks)
	_, _ = io.WriteString(w, last) // an error means that the client is gone
}

// traffic shows rate, share of errors and latency, by method (from the metrics) and by endpoint (from the kept calls).
func (h *Handler) traffic(w http.ResponseWriter, _ *http.Request) {
	view := trafficView{Interval: trafficInterval, Methods: []methodTraffic{}, Endpoints: []endpointTraffic{}}
	if h.config.Traffic != nil {
		methods, window := h.config.Traffic.methods()
		view.Methods, view.Window = append(view.Methods, methods...), window
	}
	if h.config.Ring != nil {
		endpoints, kept := endpointsOf(h.config.Ring.Calls())
		view.Endpoints, view.Kept = append(view.Endpoints, endpoints...), kept
	}
	writeJSON(w, view)
}

// policyList is the JSON form of the effective policies.
type policyList struct {
	Policies []Policy `json:"policies"`
}

func (h *Handler) policies(w http.ResponseWriter, _ *http.Request) {
	list := []Policy{}
	if h.config.Policies != nil {
		list = append(list, h.config.Policies()...)
	}
	writeJSON(w, policyList{list})
}

// explain accepts a form with the fields method, caller, caller_token and user_token. A GET would put tokens into logs
// and into the history of browsers. The parameter is format=json or text.
func (h *Handler) explain(w http.ResponseWriter, r *http.Request) {
	if h.config.Explain == nil {
		http.Error(w, "This service explains no decisions.", http.StatusNotFound)
		return
	}
	if err := r.ParseForm(); err != nil {
		http.Error(w, "The form cannot be read: "+err.Error(), http.StatusBadRequest)
		return
	}
	explanation, err := h.config.Explain(r.Context(), Question{
		Method: r.PostForm.Get("method"), Caller: strings.TrimSpace(r.PostForm.Get("caller")),
		CallerToken: strings.TrimSpace(r.PostForm.Get("caller_token")),
		UserToken:   strings.TrimSpace(r.PostForm.Get("user_token")),
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	switch format := r.PostForm.Get("format"); format {
	case "", "json":
		writeJSON(w, explanation)
	case "text":
		setText(w)
		_, _ = io.WriteString(w, explanation.String()) // an error means that the client is gone
	default:
		http.Error(w, fmt.Sprintf("format=%q: want json or text", format), http.StatusBadRequest)
	}
}

// refusals lists the recent refusals, newest first. The parameter is format=json or text.
func (h *Handler) refusals(w http.ResponseWriter, r *http.Request) {
	list := []Refusal{}
	if h.config.Refusals != nil {
		list = append(list, h.config.Refusals()...)
	}
	switch format := r.URL.Query().Get("format"); format {
	case "", "json":
		writeJSON(w, refusalList{list})
	case "text":
		setText(w)
		writeRefusals(w, list)
	default:
		http.Error(w, fmt.Sprintf("format=%q: want json or text", format), http.StatusBadRequest)
	}
}

func (h *Handler) describe(w http.ResponseWriter, _ *http.Request) {
	if h.config.Describe == nil {
		http.Error(w, "This service has no description.", http.StatusNotFound)
		return
	}
	var text bytes.Buffer
	if err := h.config.Describe(&text); err != nil {
		http.Error(w, "The description failed: "+err.Error(), http.StatusInternalServerError)
		return
	}
	setText(w)
	_, _ = w.Write(text.Bytes()) // an error means that the client is gone
}

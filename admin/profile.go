package admin

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"slices"
	"strconv"
	"strings"
	"time"
)

// These handlers answer like those of net/http/pprof, which registers itself on http.DefaultServeMux when it is
// imported and so would expose every program that serves http.DefaultServeMux.

func (h *Handler) listProfiles(w http.ResponseWriter, r *http.Request) {
	profiles := pprof.Profiles()
	slices.SortFunc(profiles, func(a, b *pprof.Profile) int { return strings.Compare(a.Name(), b.Name()) })
	var text strings.Builder
	base := "http://" + r.Host + "/debug/pprof/"
	for _, p := range profiles {
		fmt.Fprintf(&text, "%-14s %6d   go tool pprof %s%s\n", p.Name(), p.Count(), base, p.Name())
	}
	fmt.Fprintf(&text, "%-14s %6s   go tool pprof %sprofile?seconds=10\n", "profile", "", base)
	fmt.Fprintf(&text, "%-14s %6s   curl -o trace.out '%strace?seconds=1' && go tool trace trace.out\n", "trace", "", base)
	setText(w)
	_, _ = io.WriteString(w, text.String()) // the client has gone
}

// profile answers with one of the runtime's profiles: debug=1 or 2 as text, gc=1 after a garbage collection.
func (h *Handler) profile(w http.ResponseWriter, r *http.Request) {
	name, query := r.PathValue("name"), r.URL.Query()
	profile := pprof.Lookup(name)
	if profile == nil {
		http.Error(w, "There is no such profile; /debug/pprof/ lists them.", http.StatusNotFound)
		return
	}
	level := 0
	if text := query.Get("debug"); text != "" {
		var err error
		if level, err = strconv.Atoi(text); err != nil || level < 0 || level > 2 {
			http.Error(w, fmt.Sprintf("debug=%q: want 0, 1 or 2", text), http.StatusBadRequest)
			return
		}
	}
	if name == "heap" && query.Get("gc") == "1" {
		runtime.GC()
	}
	if level > 0 {
		setText(w)
	} else {
		setBinary(w, name)
	}
	_ = profile.WriteTo(w, level) // the client has gone
}

func (h *Handler) cpuProfile(w http.ResponseWriter, r *http.Request) {
	h.sample(w, r, "profile", defaultProfile, func() error { return pprof.StartCPUProfile(w) }, pprof.StopCPUProfile)
}

func (h *Handler) executionTrace(w http.ResponseWriter, r *http.Request) {
	h.sample(w, r, "trace", defaultTrace, func() error { return trace.Start(w) }, trace.Stop)
}

// sample records for seconds=N, or until the client leaves or the server stops.
func (h *Handler) sample(w http.ResponseWriter, r *http.Request, name string, length time.Duration,
	start func() error, stop func(),
) {
	if text := r.URL.Query().Get("seconds"); text != "" {
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil || !(seconds > 0 && seconds <= maxProfile.Seconds()) {
			http.Error(w, fmt.Sprintf("seconds=%q: want a number up to %v", text, maxProfile.Seconds()), http.StatusBadRequest)
			return
		}
		length = time.Duration(seconds * float64(time.Second))
	}
	ctx, cancel := h.untilEnd(r.Context())
	defer cancel()
	setBinary(w, name)
	if err := start(); err != nil {
		w.Header().Del("Content-Disposition")
		http.Error(w, "Another one is under way: "+err.Error(), http.StatusConflict)
		return
	}
	defer stop()
	_ = pause(ctx, length) // either way it is over
}

func setBinary(w http.ResponseWriter, name string) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", name))
}

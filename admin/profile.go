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

// These handlers answer like net/http/pprof. That package registers itself with http.DefaultServeMux when it is
// imported, so it would expose profiles in every program that serves http.DefaultServeMux.

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
	_, _ = io.WriteString(w, text.String()) // an error means that the client is gone
}

// profile answers with one of the runtime's profiles. With debug=1 or 2 it is text, and with gc=1 a garbage collection
// runs first.
func (h *Handler) profile(w http.ResponseWriter, r *http.Request) {
	name, query := r.PathValue("name"), r.URL.Query()
	profile := pprof.Lookup(name)
	if profile == nil {
		http.Error(w, "This profile does not exist; /debug/pprof/ lists the profiles.", http.StatusNotFound)
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
	_ = profile.WriteTo(w, level) // an error means that the client is gone
}

func (h *Handler) cpuProfile(w http.ResponseWriter, r *http.Request) {
	h.sample(w, r, "profile", defaultProfile, func() error { return pprof.StartCPUProfile(w) }, pprof.StopCPUProfile)
}

func (h *Handler) executionTrace(w http.ResponseWriter, r *http.Request) {
	h.sample(w, r, "trace", defaultTrace, func() error { return trace.Start(w) }, trace.Stop)
}

// sample records for seconds=N, or until the client disconnects or the server stops.
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
		http.Error(w, "Another profile is running: "+err.Error(), http.StatusConflict)
		return
	}
	defer stop()
	_ = pause(ctx, length) // an early end is fine
}

func setBinary(w http.ResponseWriter, name string) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", name))
}

package admin_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"runtime/pprof"
	"runtime/trace"
	"testing"

	"github.com/parley-rpc/parley/admin"
)

func TestProfiles(t *testing.T) {
	h := admin.New(admin.Config{})
	for _, tc := range []struct {
		target string
		code   int
		says   string
	}{
		{"/debug/pprof/", 200, "go tool pprof http://127.0.0.1:9090/debug/pprof/heap\n"},
		{"/debug/pprof/goroutine?debug=2", 200, "goroutine "},
		{"/debug/pprof/heap?debug=1&gc=1", 200, "heap profile:"},
		{"/debug/pprof/nonsense", 404, "/debug/pprof/ lists the profiles"},
		{"/debug/pprof/heap?debug=x", 400, `debug="x": want 0, 1 or 2`},
		{"/debug/pprof/profile?seconds=0", 400, `seconds="0": want a number up to 300`},
		{"/debug/pprof/profile?seconds=301", 400, "want a number up to 300"},
		{"/debug/pprof/trace?seconds=NaN", 400, "want a number up to 300"},
		{"/debug/pprof/profile?seconds=-1e999", 400, "want a number up to 300"},
	} {
		code, body := get(t, h, tc.target)
		want(t, "the status of "+tc.target, code, tc.code)
		contains(t, tc.target, body, tc.says)
	}
	for _, target := range []string{"/debug/pprof/heap", "/debug/pprof/goroutine", "/debug/pprof/profile?seconds=0.01"} {
		_, body := get(t, h, target)
		if _, err := gzip.NewReader(bytes.NewReader([]byte(body))); err != nil {
			t.Errorf("%s is no profile: %v", target, err)
		}
	}
	_, body := get(t, h, "/debug/pprof/trace?seconds=0.01")
	contains(t, "the trace", body, "go 1.")
}

func TestOneProfileAtATime(t *testing.T) {
	h := admin.New(admin.Config{})
	if err := pprof.StartCPUProfile(io.Discard); err != nil {
		t.Fatal(err)
	}
	defer pprof.StopCPUProfile()
	code, _ := get(t, h, "/debug/pprof/profile?seconds=1")
	want(t, "the status of a second CPU profile", code, 409)
	if err := trace.Start(io.Discard); err != nil {
		t.Fatal(err)
	}
	defer trace.Stop()
	code, _ = get(t, h, "/debug/pprof/trace?seconds=1")
	want(t, "the status of a second trace", code, 409)
}

func TestProfilesEndWithTheirReaderAndTheServer(t *testing.T) {
	h := admin.New(admin.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	code, _ := answer(h, request(t, http.MethodGet, "/debug/pprof/profile?seconds=300").WithContext(ctx))
	want(t, "the status after the reader has gone", code, 200)
	h.Close()
	code, _ = get(t, h, "/debug/pprof/trace?seconds=300")
	want(t, "the status after Close", code, 200)
}

// Importing net/http/pprof would put profiles on http.DefaultServeMux of every program.
func TestNothingIsRegisteredGlobally(t *testing.T) {
	_, pattern := http.DefaultServeMux.Handler(request(t, http.MethodGet, "/debug/pprof/"))
	want(t, "the pattern on http.DefaultServeMux", pattern, "")
}

package admin_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/admin"
)

func TestCheckLoopback(t *testing.T) {
	for _, addr := range []string{
		"127.0.0.1:9090", "127.8.8.8:0", "[::1]:9090", "localhost:9090", "LocalHost:1",
		"[::ffff:127.0.0.1]:80",
	} {
		if err := admin.CheckLoopback(addr); err != nil {
			t.Errorf("%q is refused: %v", addr, err)
		}
	}
	for _, tc := range []struct{ addr, says string }{
		{":9090", `":9090" listens on every interface, and is not a loopback address; write 127.0.0.1:9090`},
		{"0.0.0.0:9090", "ssh -L"},
		{"[::]:9090", "ssh -L"},
		{"10.0.0.1:9090", "ssh -L"},
		{"localhost.evil.example:9090", "ssh -L"},
		{"127.0.0.1.nip.io:9090", "ssh -L"},
	} {
		err := admin.CheckLoopback(tc.addr)
		if !errors.Is(err, admin.ErrNotLoopback) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%q: the error is %v, want ErrNotLoopback with %q", tc.addr, err, tc.says)
		}
	}
	for _, addr := range []string{"", "localhost", "127.0.0.1", "::1"} {
		if err := admin.CheckLoopback(addr); err == nil || errors.Is(err, admin.ErrNotLoopback) {
			t.Errorf("%q: the error is %v, want one that says it is no address", addr, err)
		}
	}
}

func header(pairs ...string) func(*http.Request) {
	return func(r *http.Request) {
		for i := 0; i < len(pairs); i += 2 {
			r.Header.Set(pairs[i], pairs[i+1])
		}
	}
}

func arrivedAt(addr net.Addr) func(*http.Request) {
	return func(r *http.Request) {
		*r = *r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, addr))
	}
}

func TestGuard(t *testing.T) {
	level := new(slog.LevelVar)
	h := admin.New(admin.Config{LogLevel: level})
	defer h.Close()
	loopback, lan := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1)}
	none := func(*http.Request) {}
	debug := func(r *http.Request) { r.URL.RawQuery = ""; r.PostForm = map[string][]string{"level": {"DEBUG"}} }
	for _, tc := range []struct {
		name           string
		method, target string
		change         []func(*http.Request)
		code           int
	}{
		{"by address", http.MethodGet, "http://127.0.0.1:9090/", []func(*http.Request){arrivedAt(loopback)}, 200},
		{"by IPv6 address", http.MethodGet, "http://[::1]:9090/", nil, 200},
		{"by IPv6 address without a port", http.MethodGet, "http://[::1]/", nil, 200},
		{"by name", http.MethodGet, "http://localhost:9090/", nil, 200},
		{"by name through a tunnel", http.MethodGet, "http://localhost/", nil, 200},
		{
			"a name that resolves to loopback", http.MethodGet, "http://evil.example:9090/",
			[]func(*http.Request){arrivedAt(loopback)},
			421,
		},
		{"a name that looks like loopback", http.MethodGet, "http://127.0.0.1.evil.example:9090/", nil, 421},
		{"a name that ends like loopback", http.MethodGet, "http://evil.localhost:9090/", nil, 421},
		{"no host at all", http.MethodGet, "/", []func(*http.Request){func(r *http.Request) { r.Host = "" }}, 421},
		{
			"a listener that others reach", http.MethodGet, "http://127.0.0.1:9090/",
			[]func(*http.Request){arrivedAt(lan)},
			421,
		},

		{
			"typed into the address bar", http.MethodGet, "/calls",
			[]func(*http.Request){header("Sec-Fetch-Site", "none")},
			200,
		},
		{"asked by the page", http.MethodGet, "/calls", []func(*http.Request){header("Sec-Fetch-Site", "same-origin")}, 200},
		{
			"a link on another site", http.MethodGet, "/",
			[]func(*http.Request){header("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest",
				"document")},
			200,
		},
		{
			"a frame on another site", http.MethodGet, "/",
			[]func(*http.Request){header("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest",
				"iframe")},
			403,
		},
		{
			"an image on another site", http.MethodGet, "/debug/pprof/profile?seconds=300",
			[]func(*http.Request){header("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest",
				"image")},
			403,
		},
		{
			"a link to a profile on another site", http.MethodGet, "/debug/pprof/profile?seconds=300",
			[]func(*http.Request){header("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest",
				"document")},
			403,
		},
		{
			"another port of this machine", http.MethodGet, "/calls",
			[]func(*http.Request){header("Sec-Fetch-Site", "same-site")},
			403,
		},

		{"a change by curl", http.MethodPost, "/loglevel", []func(*http.Request){debug}, 200},
		{
			"a change by the page", http.MethodPost, "/loglevel",
			[]func(*http.Request){debug, header("Sec-Fetch-Site", "same-origin", "Origin", "http://127.0.0.1:9090")},
			200,
		},
		{
			"a change by a form of another site", http.MethodPost, "/loglevel",
			[]func(*http.Request){debug, header("Sec-Fetch-Site", "cross-site", "Origin", "http://evil.example")},
			403,
		},
		{
			"a change by an old browser", http.MethodPost, "/loglevel",
			[]func(*http.Request){debug, header("Origin", "http://evil.example")},
			403,
		},
		{
			"a change by an opaque origin", http.MethodPost, "/loglevel",
			[]func(*http.Request){debug, header("Origin", "null")},
			403,
		},
		{"a change by GET", http.MethodGet, "/loglevel?level=DEBUG", []func(*http.Request){none}, 200},
		{"a change of what cannot be changed", http.MethodPost, "/calls", nil, 405},
	} {
		t.Run(tc.name, func(t *testing.T) {
			level.Set(slog.LevelInfo)
			code, _ := answer(h, request(t, tc.method, tc.target, tc.change...))
			want(t, "the status", code, tc.code)
			changed := tc.method == http.MethodPost && tc.code == 200
			want(t, "the level changed", level.Level() == slog.LevelDebug, changed)
		})
	}
}

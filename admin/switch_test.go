package admin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/admin"
)

func TestSwitches(t *testing.T) {
	on := true
	h := admin.New(admin.Config{Switches: []admin.Switch{{
		Title: "Retries", About: "calls have one attempt", On: func() bool { return on }, Set: func(to bool) { on = to },
	}}})
	defer h.Close()
	for _, tc := range []struct {
		name   string
		method string
		form   url.Values
		code   int
		says   string
		on     bool
	}{
		{"shown", http.MethodGet, nil, 200, `"on":true`, true},
		{"off", http.MethodPost, url.Values{"title": {"Retries"}, "on": {"false"}}, 200, `"on":false`, false},
		{"on again", http.MethodPost, url.Values{"title": {"Retries"}, "on": {"true"}}, 200, `"on":true`, true},
		{"neither", http.MethodPost, url.Values{"title": {"Retries"}, "on": {"maybe"}}, 400, "want true or false", true},
		{
			"unknown", http.MethodPost,
			url.Values{"title": {"Lights"}, "on": {"false"}},
			404,
			"GET /switches lists the switches", true,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, body := answer(h, request(t, tc.method, "http://127.0.0.1:9090/switches",
				func(r *http.Request) { r.PostForm = tc.form }))
			want(t, "the status", code, tc.code)
			want(t, "the state", on, tc.on)
			if text := strings.ReplaceAll(body, " ", ""); !strings.Contains(text, strings.ReplaceAll(tc.says, " ", "")) {
				t.Errorf("the answer is %s, want one with %s", body, tc.says)
			}
		})
	}
}

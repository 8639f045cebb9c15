package admin_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/admin"
	"github.com/parley-rpc/parley/policy"
)

func TestExplain(t *testing.T) {
	var asked admin.Question
	h := admin.New(admin.Config{Explain: func(_ context.Context, q admin.Question) (policy.Explanation, error) {
		asked = q
		if q.Method == "" {
			return policy.Explanation{}, errors.New("name a method")
		}
		at := policy.Source{Kind: policy.KindFile, Place: "a.yaml:3"}
		return policy.Explanation{
			Method: "/" + q.Method, Reason: "POLICY_DENIED", Why: "denied by rule no-dev",
			Steps: []policy.Step{{Asked: "deny", Rule: "no-dev", Outcome: "holds", Source: at}},
		}, nil
	}})
	defer h.Close()
	post := func(form url.Values) (int, string) {
		t.Helper()
		r := request(t, http.MethodPost, "/explain", func(r *http.Request) {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Body = io.NopCloser(strings.NewReader(form.Encode()))
		})
		return answer(h, r)
	}
	form := url.Values{
		"method": {"shop.S/M"}, "caller": {" orders "}, "caller_token": {"a.b.c\n"},
		"user_token": {`{"sub":"` + strings.Repeat("x", 10<<10) + `"}`},
	}
	code, body := post(form)
	want(t, "the status", code, 200)
	contains(t, "the explanation", body, `"allowed": false`, `"reason": "POLICY_DENIED"`, `"asked": "deny"`,
		`"source": "file a.yaml:3"`)
	want(t, "the caller", asked.Caller, "orders")
	want(t, "its token", asked.CallerToken, "a.b.c")
	want(t, "the user's", asked.UserToken, form.Get("user_token"))
	form.Set("format", "text")
	_, body = post(form)
	contains(t, "the text", body, "/shop.S/M: refused, POLICY_DENIED: denied by rule no-dev",
		"deny no-dev: holds (file a.yaml:3)")
	form.Set("format", "xml")
	code, _ = post(form)
	want(t, "the status of another format", code, 400)
	code, body = post(url.Values{})
	want(t, "the status of a wrong question", code, 400)
	want(t, "the mistake", body, "name a method\n")
	code, _ = get(t, h, "/explain?method=shop.S/M&caller_token=a.b.c")
	want(t, "the status of a token in an address", code, 405)
	code, _ = post(url.Values{"user_token": {strings.Repeat("x", 65<<10)}})
	want(t, "the status of a form that is too large", code, 400)
	without := admin.New(admin.Config{})
	defer without.Close()
	code, _ = answer(without, request(t, http.MethodPost, "/explain"))
	want(t, "the status without explanations", code, 404)
}

package admin_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/admin"
	"github.com/parley-rpc/parley/waterfall"
)

func decodeCalls(t *testing.T, body string) []waterfall.Call {
	t.Helper()
	var list struct {
		Calls []waterfall.Call `json:"calls"`
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil || list.Calls == nil {
		t.Fatalf("the list does not parse: %v\n%s", err, body)
	}
	return list.Calls
}

func TestCalls(t *testing.T) {
	r := newRecorder(500)
	for i := range 200 {
		end(r.start(t.Context(), fmt.Sprintf("s.S/M%d", i)), "OK", 1)
	}
	end(r.start(t.Context(), charge), "UNAVAILABLE", 1)
	end(r.start(t.Context(), quote), "OK", 3)
	r.start(t.Context(), "s.S/Open")
	h := admin.New(admin.Config{Ring: r.ring})
	defer h.Close()

	for _, tc := range []struct {
		query string
		count int
		first string
	}{
		{"", 100, "s.S/Open"},
		{"?limit=0", 203, "s.S/Open"},
		{"?limit=2", 2, "s.S/Open"},
		{"?outcome=failed", 1, charge},
		{"?outcome=retried", 1, quote},
		{"?outcome=open", 1, "s.S/Open"},
		{"?method=paymentsservice", 2, quote},
		{"?method=payments&outcome=failed", 1, charge},
		{"?method=nowhere", 0, ""},
	} {
		code, body := get(t, h, "/calls"+tc.query)
		calls := decodeCalls(t, body)
		want(t, "the status of "+tc.query, code, 200)
		want(t, "the number for "+tc.query, len(calls), tc.count)
		if len(calls) > 0 {
			want(t, "the first for "+tc.query, calls[0].Method, tc.first)
		}
	}
	for _, tc := range []struct{ query, says string }{
		{"?limit=x", "limit=x: want a number"},
		{"?limit=-1", "limit=-1: want a number"},
		{"?outcome=bad", `outcome="bad": want failed, retried or open`},
		{"?format=xml", `format="xml": want json or text`},
	} {
		code, body := get(t, h, "/calls"+tc.query)
		want(t, "the status of "+tc.query, code, 400)
		contains(t, "the answer to "+tc.query, body, tc.says)
	}
	_, text := get(t, h, "/calls?format=text&outcome=failed")
	contains(t, "the text", text, charge, "UNAVAILABLE")
	want(t, "the number of calls as text", strings.Count(text, "1 attempt"), 1)
}

func TestTrace(t *testing.T) {
	r := newRecorder(10)
	end(r.start(t.Context(), charge), "OK", 1)
	end(r.start(t.Context(), quote), "ABORTED", 1)
	h := admin.New(admin.Config{Ring: r.ring})
	defer h.Close()
	id := r.ring.Calls()[0].TraceID

	code, body := get(t, h, "/calls/"+id)
	want(t, "the status", code, 200)
	calls := decodeCalls(t, body)
	want(t, "the method", calls[0].Method, quote)
	if !slices.Contains(calls[0].Attributes, waterfall.Attribute{Key: "server.address", Value: "payments"}) {
		t.Errorf("the attributes are %v; one call is shown whole", calls[0].Attributes)
	}
	_, text := get(t, h, "/calls/"+id+"?format=text")
	contains(t, "the text", text, quote, "ABORTED")
	for _, id := range []string{"00000000000000000000000000000001", "x", "%2e%2e", "0"} {
		code, _ = get(t, h, "/calls/"+id)
		want(t, "the status of "+id, code, 404)
	}
}

func TestCallsWithoutARing(t *testing.T) {
	h := admin.New(admin.Config{})
	defer h.Close()
	code, body := get(t, h, "/calls")
	want(t, "the status", code, 200)
	want(t, "the number", len(decodeCalls(t, body)), 0)
	code, _ = get(t, h, "/calls/00000000000000000000000000000001")
	want(t, "the status of a trace", code, 404)
}

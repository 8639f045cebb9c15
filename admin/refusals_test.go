package admin_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/parley-rpc/parley/admin"
)

func TestRefusals(t *testing.T) {
	at := time.Date(2026, 11, 30, 11, 0, 0, 0, time.UTC)
	kept := []admin.Refusal{
		{
			Of: "call", Last: at, First: at.Add(-time.Minute), Times: 12, Address: "10.0.0.9:41234", Agent: "grpcurl/v1.9.1",
			Method: charge, Reason: "CREDENTIALS_MISSING", Cause: "no token\n\x1b[2J",
		},
		{
			Of: "handshake", Last: at, First: at, Times: 1, Peer: "spiffe://shop.example/mallory",
			Reason: "CREDENTIALS_INVALID",
		},
	}
	h := admin.New(admin.Config{Refusals: func() []admin.Refusal { return kept }})
	defer h.Close()

	code, body := get(t, h, "/refusals")
	want(t, "the status", code, 200)
	var list struct{ Refusals []admin.Refusal }
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatal(err)
	}
	want(t, "the number", len(list.Refusals), 2)
	want(t, "the first", list.Refusals[0], kept[0])
	contains(t, "the JSON", body, `"times": 12`, `"address": "10.0.0.9:41234"`, `"agent": "grpcurl/v1.9.1"`)

	_, text := get(t, h, "/refusals?format=text")
	contains(t, "the text", text, "2026-11-30T11:00:00.000Z  12", "unproven", "10.0.0.9:41234", charge,
		"CREDENTIALS_MISSING", "no token??[2J", "spiffe://shop.example/mallory")
	want(t, "the lines", strings.Count(text, "\n"), 3)
	code, body = get(t, h, "/refusals?format=xml")
	want(t, "the status of an unknown format", code, 400)
	contains(t, "the answer", body, "want json or text")
}

func TestNoRefusals(t *testing.T) {
	h := admin.New(admin.Config{})
	defer h.Close()
	code, body := get(t, h, "/refusals")
	want(t, "the status", code, 200)
	contains(t, "the list", body, `"refusals": []`)
}

package waterfall_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"

	"github.com/parley-rpc/parley/waterfall"
)

func TestRingBoundsTheSpansOfACall(t *testing.T) {
	tp := newTape(1000)
	server := tp.serve(tp.remote(), place, 0)
	for range 300 {
		call := tp.call(server, quote, 0)
		tp.attempt(call, 1, 0).end(ms, "OK")
		call.end(ms, "OK")
	}
	server.end(ms, "OK")
	whole, calls := 0, tp.ring.Calls()
	for _, c := range calls {
		whole += len(c.Calls)
		if c.Direction == waterfall.Outgoing {
			whole++
		}
	}
	want(t, "calls that can be seen", whole, 300)
	if len(calls) < 100 {
		t.Errorf("the ring holds %d calls on their own; those that the first could not hold should be", len(calls))
	}

	tp = newTape(2)
	call := tp.call(t.Context(), quote, 0)
	for i := range 300 {
		tp.attempt(call, i+1, 0).end(ms, "UNAVAILABLE")
	}
	call.end(ms, "UNAVAILABLE", stopped("attempts_exhausted", "attempts_exhausted", 300)...)
	want(t, "attempts kept", len(tp.only(t).Attempts), 127)
	want(t, "attempts counted", tp.only(t).AttemptCount, 300)
	want(t, "spans dropped", tp.ring.Dropped(), uint64(173))
}

func TestRingBoundsTheBytesOfACall(t *testing.T) {
	tp := newTape(2)
	call := tp.call(t.Context(), strings.Repeat("x", 10_000)+"/M", 0)
	for i := range 100 {
		call.SetAttributes(attribute.String(fmt.Sprintf("key.%03d", i), strings.Repeat("é", 5000)))
	}
	call.SetAttributes(attribute.StringSlice("list", slices.Repeat([]string{"item"}, 10_000)))
	for range 200 {
		call.event(0, strings.Repeat("e", 1000), attribute.String("stack", strings.Repeat("s", 10_000)))
	}
	call.end(ms, "UNAVAILABLE", stopped("budget", "budget", 1)...)

	c := tp.only(t)
	want(t, "the status, which always has a place,", c.Status, "UNAVAILABLE")
	want(t, "the stop reason", c.StopReason, "budget")
	size := len(c.Method)
	for _, a := range c.Attributes {
		size += len(a.Key) + len(a.Value)
	}
	for _, e := range c.Events {
		size += len(e.Name) + 256
	}
	if size > 40<<10 {
		t.Errorf("the call takes %d bytes", size)
	}
	if c.LeftOut == 0 {
		t.Error("nothing is said to be left out")
	}
}

func TestRingHidesWhatMayBeASecret(t *testing.T) {
	tp := newTape(2)
	call := tp.call(t.Context(), quote, 0, attribute.String("rpc.request.metadata.authorization", "Bearer abc"),
		attribute.String("db.password", "hunter2"), attribute.String("server.address", "payments"))
	call.event(0, "login", attribute.String("user.token", "abc"))
	call.end(ms, "OK")
	c := tp.only(t)
	got := fmt.Sprint(c.Attributes, c.Events)
	for _, leak := range []string{"abc", "hunter2"} {
		if strings.Contains(got, leak) {
			t.Errorf("%q is shown: %s", leak, got)
		}
	}
	if !strings.Contains(got, "{server.address payments}") {
		t.Errorf("an ordinary attribute is missing: %s", got)
	}
}

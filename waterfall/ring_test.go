package waterfall_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/waterfall"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func methods(calls []waterfall.Call) []string {
	var names []string
	for _, c := range calls {
		names = append(names, c.Method)
	}
	return names
}

func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestRingKeepsTheNewestCallsFirst(t *testing.T) {
	tp := newTape(3)
	for i := range 5 {
		tp.call(t.Context(), fmt.Sprintf("s.S/M%d", i), 0).end(ms, "OK")
	}
	if got, want := methods(tp.ring.Calls()), []string{"s.S/M4", "s.S/M3", "s.S/M2"}; !slices.Equal(got, want) {
		t.Errorf("the ring holds %v, want %v", got, want)
	}
	if _, ok := tp.ring.Call(traceID(1)); ok {
		t.Error("a call that made room is still found")
	}
	call, ok := tp.ring.Call(traceID(4))
	want(t, "found", ok, true)
	want(t, "the method", call.Method, "s.S/M3")
}

func TestRingShowsCallsThatAreOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tp := newTape(3)
		began := time.Since(epoch)
		call := tp.call(t.Context(), quote, began)
		attempt := tp.attempt(call, 1, began)
		time.Sleep(70 * ms)

		c := tp.only(t)
		want(t, "open", c.Open, true)
		want(t, "the duration so far", c.Duration, 70*ms)
		want(t, "the status", c.Status, "")
		want(t, "attempts", len(c.Attempts), 1)
		want(t, "attempt open", c.Attempts[0].Open, true)

		attempt.end(began+80*ms, "UNAVAILABLE")
		call.wait(began+80*ms, 2, 50*ms, "policy")
		time.Sleep(30 * ms)
		c = tp.only(t)
		want(t, "the status of the attempt", c.Attempts[0].Status, "UNAVAILABLE")
		want(t, "waits", len(c.Waits), 1)
		want(t, "the wait goes on", c.Waits[0],
			waterfall.Wait{
				Next: 2, Offset: 80 * ms, Duration: 20 * ms, Backoff: 50 * ms, Open: true, Cause: "UNAVAILABLE",
				Source: "policy",
			})
		compare(t, "open.txt", c.String()+"\n")

		call.end(began+100*ms, "CANCELLED", stopped("canceled", "canceled", 1)...)
		c = tp.only(t)
		want(t, "open", c.Open, false)
		want(t, "failed", c.Failed(), true)
		want(t, "the wait that was cut short", c.Waits[0].Duration, 20*ms)
		want(t, "the explanation", c.Explanation, "the caller gave up")
	})
}

func TestRingPassesOverOpenCalls(t *testing.T) {
	tp := newTape(4)
	stream := tp.call(t.Context(), "s.S/Stream", 0)
	for i := range 40 {
		tp.call(t.Context(), fmt.Sprintf("s.S/M%d", i), 0).end(ms, "OK")
	}
	if got, want := methods(tp.ring.Calls()), []string{"s.S/M39", "s.S/M38", "s.S/M37", "s.S/Stream"}; !slices.Equal(got,
		want) {
		t.Fatalf("the ring holds %v, want %v", got, want)
	}
	stream.end(time.Second, "OK")
	for i := range 4 {
		tp.call(t.Context(), fmt.Sprintf("s.S/N%d", i), 0).end(ms, "OK")
	}
	if got, want := methods(tp.ring.Calls()), []string{"s.S/N3", "s.S/N2", "s.S/N1", "s.S/N0"}; !slices.Equal(got, want) {
		t.Errorf("the ring holds %v, want %v", got, want)
	}
}

func TestRingIsNotFilledByCallsThatNeverEnd(t *testing.T) {
	tp := newTape(4)
	for i := range 40 {
		tp.call(t.Context(), fmt.Sprintf("s.S/Leak%d", i), 0)
	}
	for i := range 8 {
		tp.call(t.Context(), fmt.Sprintf("s.S/M%d", i), 0).end(ms, "OK")
	}
	got := methods(tp.ring.Calls())
	if len(got) != 4 || got[0] != "s.S/M7" || got[1] != "s.S/M6" {
		t.Errorf("the ring holds %v, want M7 and M6 beside at most two leaks", got)
	}
}

// The status messages of failed calls are kept only where the ring is made for it: they may hold what users typed.
func TestMessagesAreKeptOnlyOnDemand(t *testing.T) {
	for _, tt := range []struct {
		options []waterfall.Option
		message string
	}{
		{nil, ""},
		{[]waterfall.Option{waterfall.WithMessages()}, "the bank's line is down"},
	} {
		tp := newTape(4, tt.options...)
		call := tp.call(t.Context(), quote, 0)
		attempt := tp.attempt(call, 1, 0)
		attempt.SetStatus(codes.Error, "the bank's line is down")
		attempt.SetAttributes(attribute.String("rpc.status_code", "UNAVAILABLE"))
		attempt.End()
		call.SetStatus(codes.Error, strings.Repeat("the bank's line is down", 100))
		call.End()
		c := tp.only(t)
		want(t, "the message of the attempt", c.Attempts[0].Message, tt.message)
		if !strings.HasPrefix(c.Message, tt.message) || len(c.Message) > 256 || (c.Message == "") != (tt.message == "") {
			t.Errorf("the message of the call is %q", c.Message)
		}
		want(t, "the drawing has a message", strings.Contains(c.String(), "\n  message: the bank"), tt.message != "")
	}
	want(t, "the option", waterfall.WithMessages().String(), "waterfall.WithMessages()")
}

// A service that serves and calls retries below its own calls: the call that it served counts as retried, too.
func TestNestedCallsCountAsRetries(t *testing.T) {
	tp := newTape(4)
	served := tp.serve(tp.remote(), place, 0)
	pay := tp.call(served, charge, ms)
	for n := range 3 {
		tp.attempt(pay, n+1, time.Duration(n)*ms).end(time.Duration(n+1)*ms, "OK")
	}
	pay.end(5*ms, "OK", stopped("recovered", "ok", 3)...)
	served.end(6*ms, "OK")
	c := tp.only(t)
	want(t, "attempts of the call itself", c.AttemptCount, 0)
	want(t, "most attempts", c.MostAttempts(), 3)
	want(t, "retried", c.Retried(), true)

	tp = newTape(4)
	order := tp.call(t.Context(), place, 0)
	first := tp.attempt(order, 1, 0)
	inner := tp.call(tp.serve(first, place, 0), charge, 0)
	inner.end(ms, "OK", stopped("recovered", "ok", 2)...)
	want(t, "most attempts below an attempt", tp.only(t).MostAttempts(), 2)
}

func TestRingOfOne(t *testing.T) {
	tp := newTape(1)
	tp.call(t.Context(), "s.S/Leak", 0)
	tp.call(t.Context(), quote, 0).end(ms, "OK")
	want(t, "the call", tp.only(t).Method, quote)
	want(t, "the default size", waterfall.NewRing(0).Size(), waterfall.DefaultCalls)
}

func TestRingLeavesOutWhatIsNoCall(t *testing.T) {
	tp := newTape(8)
	page := tp.start(t.Context(), "GET /orders", trace.SpanKindServer, 0)
	tp.start(page, "SELECT orders", trace.SpanKindClient, 0).End()
	tp.start(page, "render", trace.SpanKindInternal, 0).End()
	one := tp.call(page, quote, 0)
	one.end(ms, "OK")
	two := tp.call(page, charge, 2*ms)
	two.end(3*ms, "OK")
	page.End()
	if got, want := methods(tp.ring.Trace(traceID(1))), []string{quote, charge}; !slices.Equal(got, want) {
		t.Errorf("the trace has %v, want %v", got, want)
	}
}

func TestRingNestsThroughSpansOfTheApplication(t *testing.T) {
	tp := newTape(8)
	server := tp.serve(tp.remote(), place, 0)
	work := tp.start(server, "price the basket", trace.SpanKindInternal, ms)
	deeper := tp.start(work, "ask", trace.SpanKindInternal, ms)
	tp.call(deeper, quote, 2*ms).end(3*ms, "OK")
	deeper.End()
	work.End()
	server.end(5*ms, "OK")
	c := tp.only(t)
	want(t, "the direction", c.Direction, waterfall.Incoming)
	if got := methods(c.Calls); !slices.Equal(got, []string{quote}) {
		t.Errorf("the calls of the handler are %v, want [%s]", got, quote)
	}
}

func TestRingWithoutParleysAttributes(t *testing.T) {
	tp := newTape(2)
	call := tp.call(t.Context(), quote, 0)
	attempt := tp.start(call, "Attempt "+quote, trace.SpanKindClient, 0)
	attempt.SetStatus(2, "")
	attempt.End(trace.WithTimestamp(epoch.Add(ms)))
	call.SetAttributes(attribute.String("rpc.response.status_code", "ABORTED"))
	call.End(trace.WithTimestamp(epoch.Add(ms)))
	c := tp.only(t)
	want(t, "the status under the older name", c.Status, "ABORTED")
	want(t, "the number", c.Attempts[0].Number, 1)
	want(t, "a status that nobody stated", c.Attempts[0].Status, "OK")
}

func TestRingKnowsTheDeadlineOfTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Since(epoch)
		tp := newTape(4)
		call := tp.call(ctx, quote, began)
		tp.attempt(call, 1, began).end(began+ms, "OK")
		call.end(began+ms, "OK")
		want(t, "the deadline", tp.only(t).Deadline, time.Second)

		call = tp.call(ctx, quote, began, deadline(300*ms))
		call.end(began+ms, "OK")
		want(t, "the shorter deadline that the span states", tp.ring.Calls()[0].Deadline, 300*ms)
	})
}

func TestRingAfterShutdown(t *testing.T) {
	tp := newTape(2)
	call := tp.call(t.Context(), quote, 0)
	if err := tp.ring.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	call.end(ms, "OK")
	tp.call(t.Context(), charge, 0)
	want(t, "the call that was there", tp.only(t).Method, quote)
	want(t, "flushing", tp.ring.ForceFlush(t.Context()), nil)
	want(t, "shutting down again", tp.ring.Shutdown(t.Context()), nil)
}

func TestRingUnderConcurrentUse(t *testing.T) {
	ring := waterfall.NewRing(16)
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(ring))
	tp := &tape{ring, provider.Tracer("test")}
	ctx, cancel := context.WithCancel(t.Context())
	var readers, writers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for calls := range ring.Watch(ctx) {
				for _, c := range calls {
					_ = c.String()
				}
			}
		})
	}
	for range 4 {
		writers.Go(func() {
			for range 200 {
				call := tp.call(t.Context(), quote, 0)
				attempt := tp.attempt(call, 1, 0)
				server := tp.serve(attempt, quote, 0)
				_ = ring.Calls()
				server.end(ms, "OK")
				attempt.end(ms, "OK", at("10.0.0.1", 1)...)
				call.end(ms, "OK")
			}
		})
	}
	writers.Wait()
	cancel()
	readers.Wait()
	for _, c := range ring.Calls() {
		if c.Open || len(c.Attempts) != 1 || len(c.Attempts[0].Calls) != 1 {
			t.Errorf("a call is not whole:\n%s", c)
		}
	}
}

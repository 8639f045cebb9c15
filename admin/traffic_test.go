package admin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/parley-rpc/parley/admin"
)

type trafficJSON struct {
	Interval time.Duration `json:"interval_ns"`
	Window   time.Duration `json:"window_ns"`
	Methods  []struct {
		Method, Target string
		Calls          uint64
		Rate, Failed   float64
		Mean           time.Duration `json:"mean_ns"`
		Within         time.Duration `json:"within_ns"`
		Rates, Errors  []float64
	}
	Endpoints []struct {
		Endpoint string
		Attempts int
		Failed   float64
		Longest  time.Duration `json:"longest_ns"`
	}
	Kept int
}

func readTraffic(t *testing.T, h *admin.Handler) trafficJSON {
	t.Helper()
	_, body := get(t, h, "/traffic")
	var view trafficJSON
	if err := json.Unmarshal([]byte(body), &view); err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	return view
}

// Rate, error share and latency are those of the last minute; the curves go back ten.
func TestTrafficByMethod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var counted admin.Counts
		var published atomic.Pointer[admin.Counts]
		published.Store(new(admin.Counts))
		traffic := admin.NewTraffic(func() []admin.Counts {
			return []admin.Counts{*published.Load(), {Method: "s.S/Never", Calls: 5}}
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- traffic.Run(ctx) }()
		h := admin.New(admin.Config{Traffic: traffic})
		defer h.Close()
		if view := readTraffic(t, h); len(view.Methods) != 0 {
			t.Errorf("before two samples there is %+v", view)
		}
		time.Sleep(time.Second)
		// For two minutes 20 calls in each interval; in the last one a quarter of them fails and takes 100 ms instead of 2
		// ms.
		for i := range 12 {
			counted.Method, counted.Target = quote, "payments"
			counted.Calls += 20
			slow := uint64(0)
			if i >= 6 {
				slow = 5
			}
			counted.Failed += slow
			counted.Duration += time.Duration(20-slow)*2*time.Millisecond + time.Duration(slow)*100*time.Millisecond
			within := func(at int) uint64 {
				if counted.Within == nil {
					return 0
				}
				return counted.Within[at].Calls
			}
			counted.Within = []admin.Within{
				{Bound: 5 * time.Millisecond, Calls: within(0) + 20 - slow},
				{Bound: 250 * time.Millisecond, Calls: within(1) + 20},
			}
			snapshot := counted
			published.Store(&snapshot)
			time.Sleep(10 * time.Second)
		}
		view := readTraffic(t, h)
		want(t, "the interval", view.Interval, 10*time.Second)
		want(t, "the window", view.Window, time.Minute)
		if len(view.Methods) != 1 {
			t.Fatalf("the methods are %+v; one that is not called is left out", view.Methods)
		}
		m := view.Methods[0]
		want(t, "the method", m.Method+" "+m.Target, quote+" payments")
		want(t, "calls", m.Calls, 120)
		want(t, "the rate", m.Rate, 2.0)
		want(t, "the share that failed", m.Failed, 0.25)
		want(t, "the mean", m.Mean, 26500*time.Microsecond)
		want(t, "95 % within", m.Within, 250*time.Millisecond)
		if !slices.Equal(m.Rates, slices.Repeat([]float64{2}, 12)) ||
			!slices.Equal(m.Errors, append(make([]float64, 6), slices.Repeat([]float64{0.5}, 6)...)) {
			t.Errorf("the curves are %v and %v", m.Rates, m.Errors)
		}
		time.Sleep(20 * time.Minute)
		if view := readTraffic(t, h); len(view.Methods) != 0 {
			t.Errorf("ten minutes later there is %+v", view.Methods)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestTrafficByEndpoint(t *testing.T) {
	r := newRecorder(10)
	for i, status := range []string{"UNAVAILABLE", "OK", "OK", "OK", ""} {
		ctx, call := r.tracer.Start(t.Context(), quote, trace.WithSpanKind(trace.SpanKindClient))
		_, attempt := r.tracer.Start(ctx, "Attempt "+quote, trace.WithSpanKind(trace.SpanKindClient))
		attempt.SetAttributes(attribute.String("network.peer.address", fmt.Sprintf("10.0.0.%d", i%2)),
			attribute.Int("network.peer.port", 8443))
		if status == "" {
			continue // still open
		}
		end(attempt, status, 1)
		end(call, status, 1)
	}
	h := admin.New(admin.Config{Ring: r.ring})
	defer h.Close()
	view := readTraffic(t, h)
	want(t, "attempts kept", view.Kept, 4)
	if len(view.Endpoints) != 2 {
		t.Fatalf("the endpoints are %+v", view.Endpoints)
	}
	for i, failed := range []float64{0.5, 0} {
		want(t, "the endpoint", view.Endpoints[i].Endpoint, fmt.Sprintf("10.0.0.%d:8443", i))
		want(t, "its attempts", view.Endpoints[i].Attempts, 2)
		want(t, "its share of failures", view.Endpoints[i].Failed, failed)
	}
}

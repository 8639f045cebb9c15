package telemetry_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/telemetry"
)

// measure counts once.
func measure(t *testing.T, tel *telemetry.Telemetry) {
	t.Helper()
	counter, err := tel.MeterProvider().Meter("test").Int64Counter("orders.placed")
	if err != nil {
		t.Fatal(err)
	}
	counter.Add(t.Context(), 1)
}

// TestExport says that spans and metrics reach a collector, over either protocol, and that Shutdown sends the rest.
func TestExport(t *testing.T) {
	for _, test := range []struct {
		protocol string
		serve    func(*collector, *testing.T) string
	}{
		{"grpc", (*collector).serveGRPC},
		{"http/protobuf", (*collector).serveHTTP},
	} {
		t.Run(test.protocol, func(t *testing.T) {
			var c collector
			tel := start(t, vars{"OTEL_EXPORTER_OTLP_ENDPOINT": test.serve(&c, t), "OTEL_EXPORTER_OTLP_PROTOCOL": test.protocol})
			spans(t, tel, 3)
			measure(t, tel)
			if err := tel.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
			c.wantReceived(t, "orders: child", "orders: orders.placed", "orders: root")
			if err := tel.Shutdown(t.Context()); err != nil {
				t.Errorf("a second Shutdown: %v", err)
			}
		})
	}
}

// TestNothingIsSentUnasked says that a collector named for one signal gets no other, and none where none is named.
func TestNothingIsSentUnasked(t *testing.T) {
	t.Run("spans alone", func(t *testing.T) {
		var c collector
		tel := start(t, vars{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": c.serveHTTP(t) + "/v1/traces"})
		spans(t, tel, 1)
		measure(t, tel)
		if err := tel.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.wantReceived(t, "orders: child", "orders: root")
	})
	t.Run("metrics scraped only", func(t *testing.T) {
		var c collector
		tel := start(t, vars{
			"OTEL_EXPORTER_OTLP_ENDPOINT": c.serveHTTP(t), "OTEL_METRICS_EXPORTER": "prometheus",
			"OTEL_TRACES_EXPORTER": "none",
		})
		spans(t, tel, 1)
		measure(t, tel)
		if err := tel.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.wantReceived(t)
	})
}

// TestKeepUnsampled says that this process may see what no exporter gets.
func TestKeepUnsampled(t *testing.T) {
	for _, test := range []struct {
		name      string
		opts      []telemetry.Option
		seen      int
		collected []string
		sampler   string
	}{
		{name: "sampled", sampler: "always_on", seen: 2, collected: []string{"orders: child", "orders: root"}},
		{name: "not sampled", sampler: "parentbased_always_off"},
		{
			name: "not sampled but kept", sampler: "parentbased_always_off",
			opts: []telemetry.Option{telemetry.WithKeepUnsampled()}, seen: 2,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var c collector
			recorder := newRecorder()
			v := vars{
				"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": c.serveGRPC(t), "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
				"OTEL_TRACES_SAMPLER": test.sampler,
			}
			tel := start(t, v, append(test.opts, telemetry.WithSpanProcessor(recorder))...)
			spans(t, tel, 1)
			if err := tel.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
			if seen := len(recorder.Ended()); seen != test.seen {
				t.Errorf("%d spans seen in the process, want %d", seen, test.seen)
			}
			c.wantReceived(t, test.collected...)
		})
	}
}

// TestFailureIsReported says that what cannot be sent is logged once, and is an error of Shutdown.
func TestFailureIsReported(t *testing.T) {
	c := collector{fail: status.Error(codes.InvalidArgument, "not today")}
	endpoint := c.serveGRPC(t)
	var log strings.Builder
	tel := start(t, vars{
		"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
		"OTEL_METRICS_EXPORTER": "prometheus",
	},
		telemetry.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	spans(t, tel, 1000) // more than one batch
	err := tel.Shutdown(t.Context())
	for _, part := range []string{"stopping traces", "sending traces to " + endpoint + " by OTLP grpc", "not today"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("Shutdown: %v, want it to say %q", err, part)
		}
	}
	if n := strings.Count(log.String(), "telemetry cannot be sent"); n != 1 ||
		!strings.Contains(log.String(), "not today") {
		t.Errorf("logged %d times: %s", n, log.String())
	}
}

// TestHangingCollector says that a collector that never answers cannot hold Shutdown longer than its context.
func TestHangingCollector(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	hang := sync.OnceFunc(func() {
		close(asked)
		<-release
	})
	c := collector{hang: hang}
	tel := start(t, vars{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": c.serveGRPC(t), "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
		telemetry.WithLogger(slog.New(slog.DiscardHandler)))
	spans(t, tel, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		<-asked
		cancel()
	}()
	if err := tel.Shutdown(ctx); err == nil ||
		!strings.Contains(err.Error(), "traces did not stop in time: context canceled") {
		t.Errorf("Shutdown: %v", err)
	}
}

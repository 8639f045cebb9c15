package telemetry_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/parley-rpc/parley/telemetry"
)

// TestEnvironment says what each environment makes of telemetry.
func TestEnvironment(t *testing.T) {
	const unsent = "traces not exported, sampled by parentbased_always_on; metrics scraped by Prometheus"
	for _, test := range []struct {
		name string
		vars vars
		want string
	}{
		{"nothing is set", nil, unsent},
		{
			"set to nothing",
			vars{"OTEL_TRACES_EXPORTER": "", "OTEL_TRACES_SAMPLER": " ", "OTEL_EXPORTER_OTLP_ENDPOINT": ""},
			unsent,
		},
		{"disabled", vars{"OTEL_SDK_DISABLED": "TRUE"}, "off: OTEL_SDK_DISABLED=true"},
		{"not disabled", vars{"OTEL_SDK_DISABLED": "false"}, unsent},
		{
			"an endpoint is enough",
			vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector/base"},
			"traces sent to https://collector/base/v1/traces by OTLP http/protobuf, sampled by parentbased_always_on; " +
				"metrics sent to https://collector/base/v1/metrics by OTLP http/protobuf, scraped by Prometheus",
		},
		{
			"over gRPC",
			vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
			"traces sent to http://collector:4317 by OTLP grpc, sampled by parentbased_always_on; " +
				"metrics sent to http://collector:4317 by OTLP grpc, scraped by Prometheus",
		},
		{
			"spans alone",
			vars{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://jaeger:4317", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"},
			"traces sent to http://jaeger:4317 by OTLP grpc, sampled by parentbased_always_on; metrics scraped by Prometheus",
		},
		{
			"each its own",
			vars{
				"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
				"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://jaeger:4317", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc",
			},
			"traces sent to http://jaeger:4317 by OTLP grpc, sampled by parentbased_always_on; " +
				"metrics sent to http://collector:4318/v1/metrics by OTLP http/protobuf, scraped by Prometheus",
		},
		{
			"an endpoint, and exporters that do without", vars{
				"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
				"OTEL_TRACES_EXPORTER":        "none", "OTEL_METRICS_EXPORTER": "prometheus",
			}, unsent,
		},
		{
			"exporters without an endpoint",
			vars{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "otlp"},
			"traces sent to http://localhost:4318/v1/traces by OTLP http/protobuf, sampled by parentbased_always_on; " +
				"metrics sent to http://localhost:4318/v1/metrics by OTLP http/protobuf, scraped by Prometheus",
		},
		{
			"gRPC without an endpoint",
			vars{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
			"traces sent to http://localhost:4317 by OTLP grpc, sampled by parentbased_always_on; metrics scraped by Prometheus",
		},
		{
			"a password in the endpoint",
			vars{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://me:secret@collector/v1/traces"},
			"traces sent to https://me:xxxxx@collector/v1/traces by OTLP http/protobuf, sampled by parentbased_always_on; " +
				"metrics scraped by Prometheus",
		},
		{
			"no metrics",
			vars{"OTEL_METRICS_EXPORTER": "none"},
			"traces not exported, sampled by parentbased_always_on; metrics not exported",
		},
		{
			"sampler with a ratio",
			vars{"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.25"},
			"traces not exported, sampled by parentbased_traceidratio 0.25; metrics scraped by Prometheus",
		},
		{
			"sampler without its ratio",
			vars{"OTEL_TRACES_SAMPLER": "traceidratio"},
			"traces not exported, sampled by traceidratio 1; metrics scraped by Prometheus",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			tel, err := telemetry.New(t.Context(), "orders", telemetry.WithEnviron(test.vars.environ()))
			if err != nil {
				t.Fatal(err)
			}
			if got := tel.String(); got != test.want {
				t.Errorf("%s\nwant %s", got, test.want)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_ = tel.Shutdown(ctx) // there is nothing to send: no collector listens there
		})
	}
}

// TestMistakes says what is refused, and that all of it is refused at once.
func TestMistakes(t *testing.T) {
	for _, test := range []struct{ name, value, want string }{
		{"OTEL_SDK_DISABLED", "yes", `OTEL_SDK_DISABLED="yes": not supported; use true or false`},
		{"OTEL_TRACES_EXPORTER", "console", `OTEL_TRACES_EXPORTER="console": not supported; use otlp or none`},
		{"OTEL_TRACES_EXPORTER", "otlp,none", `OTEL_TRACES_EXPORTER="otlp,none": not supported; use otlp or none`},
		{"OTEL_METRICS_EXPORTER", "statsd", `OTEL_METRICS_EXPORTER="statsd": not supported; use otlp, prometheus or none`},
		{
			"OTEL_EXPORTER_OTLP_PROTOCOL", "http/json",
			`OTEL_EXPORTER_OTLP_PROTOCOL="http/json": not supported; use grpc or http/protobuf`,
		},
		{
			"OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "udp",
			`OTEL_EXPORTER_OTLP_METRICS_PROTOCOL="udp": not supported; use grpc or http/protobuf`,
		},
		{
			"OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4317",
			`OTEL_EXPORTER_OTLP_ENDPOINT="localhost:4317": not an http or https URL; write http://localhost:4317, say`,
		},
		{
			"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "grpc://collector",
			`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="grpc://collector": not an http or https URL; write https://collector:4317, say`,
		},
		{
			"OTEL_EXPORTER_OTLP_ENDPOINT", "me:secret@collector",
			`OTEL_EXPORTER_OTLP_ENDPOINT="xxxxx@collector": not an http or https URL; write http://xxxxx@collector, say`,
		},
		{
			"OTEL_TRACES_SAMPLER", "jaeger_remote",
			`OTEL_TRACES_SAMPLER="jaeger_remote": not supported; use always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off or parentbased_traceidratio`,
		},
		{
			"OTEL_TRACES_SAMPLER_ARG", "0.1",
			`OTEL_TRACES_SAMPLER_ARG="0.1": the sampler parentbased_always_on takes no argument; set OTEL_TRACES_SAMPLER=parentbased_traceidratio, or unset this variable`,
		},
		{
			"OTEL_PROPAGATORS", "b3,baggage",
			`OTEL_PROPAGATORS="b3,baggage": b3 is not supported; list tracecontext and baggage, or none`,
		},
		{"OTEL_PROPAGATORS", "none,baggage", `OTEL_PROPAGATORS="none,baggage": none excludes all others; drop it, or them`},
		{
			"OTEL_RESOURCE_ATTRIBUTES", "a=1,b",
			`OTEL_RESOURCE_ATTRIBUTES="a=1,b": "b" is not key=value; separate entries by commas, and write a comma within a value as %2C`,
		},
		{
			"OTEL_RESOURCE_ATTRIBUTES", "a=100%",
			`OTEL_RESOURCE_ATTRIBUTES="a=100%": the value of a is not percent-encoded; write % as %25`,
		},
		{
			"OTEL_RESOURCE_ATTRIBUTES", "service.name=",
			`OTEL_SERVICE_NAME="": the service has no name; set this variable, or give telemetry.New a name`,
		},
	} {
		t.Run(test.name+"="+test.value, func(t *testing.T) {
			_, err := telemetry.New(t.Context(), "orders", telemetry.WithEnviron(vars{test.name: test.value}.environ()))
			if err == nil || err.Error() != test.want {
				t.Fatalf("%v\nwant %s", err, test.want)
			}
			if _, ok := errors.AsType[*telemetry.VariableError](err); !ok {
				t.Errorf("%v is no VariableError", err)
			}
		})
	}
	for _, ratio := range []string{"2", "-0.1", "NaN", "some", "1e400"} {
		v := vars{"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": ratio}
		_, err := telemetry.New(t.Context(), "orders", telemetry.WithEnviron(v.environ()))
		if want := `OTEL_TRACES_SAMPLER_ARG="` + ratio + `": not a ratio; write a number from 0 to 1`; err == nil ||
			err.Error() != want {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
	t.Run("all at once", func(t *testing.T) {
		v := vars{
			"OTEL_TRACES_EXPORTER": "console", "OTEL_EXPORTER_OTLP_PROTOCOL": "carrier pigeon",
			"OTEL_EXPORTER_OTLP_ENDPOINT": "collector", "OTEL_PROPAGATORS": "b3",
		}
		_, err := telemetry.New(t.Context(), "", telemetry.WithEnviron(v.environ()))
		if err == nil || strings.Count(err.Error(), "\n") != len(v) {
			t.Errorf("%v\nwant %d mistakes, each once", err, len(v)+1)
		}
	})
}

// TestResource says how the service is described: code first, the environment over it.
func TestResource(t *testing.T) {
	recorder := newRecorder()
	v := vars{
		"OTEL_SERVICE_NAME":        "orders-canary",
		"OTEL_RESOURCE_ATTRIBUTES": "service.name=ignored, deployment.environment.name=test%2Ceu ,service.version=2",
	}
	tel := start(t, v, telemetry.WithSpanProcessor(recorder), telemetry.WithAttributes(
		attribute.String("service.version", "1"), attribute.String("service.instance.id", "a")))
	spans(t, tel, 1)
	about := recorder.Ended()[0].Resource().Set()
	for key, want := range map[attribute.Key]string{
		"service.name": "orders-canary", "deployment.environment.name": "test,eu", "service.version": "2",
		"service.instance.id": "a", "telemetry.sdk.language": "go",
	} {
		if got, _ := about.Value(key); got.AsString() != want {
			t.Errorf("%s=%q, want %q", key, got.AsString(), want)
		}
	}
}

func TestPropagators(t *testing.T) {
	for listed, want := range map[string][]string{
		"":                     {"baggage", "traceparent", "tracestate"},
		"tracecontext":         {"traceparent", "tracestate"},
		"Baggage, baggage":     {"baggage"},
		"baggage,tracecontext": {"baggage", "traceparent", "tracestate"},
		"none":                 nil,
	} {
		fields := start(t, vars{"OTEL_PROPAGATORS": listed}).Propagator().Fields()
		if slices.Sort(fields); !slices.Equal(fields, want) {
			t.Errorf("OTEL_PROPAGATORS=%s carries %v, want %v", listed, fields, want)
		}
	}
}

// TestOff says that what is off costs nothing, and says why.
func TestOff(t *testing.T) {
	off := start(t, vars{"OTEL_SDK_DISABLED": "true"})
	if off.TracerProvider() != (tracenoop.TracerProvider{}) || off.MeterProvider() != (metricnoop.MeterProvider{}) {
		t.Errorf("a disabled SDK provides %T and %T", off.TracerProvider(), off.MeterProvider())
	}
	if len(off.Propagator().Fields()) == 0 {
		t.Error("a disabled SDK does not pass span contexts on")
	}
	unmeasured := start(t, vars{"OTEL_METRICS_EXPORTER": "none"})
	for tel, because := range map[*telemetry.Telemetry]string{
		off:        "OTEL_SDK_DISABLED=true",
		unmeasured: "OTEL_METRICS_EXPORTER=none",
	} {
		answer := httptest.NewRecorder()
		tel.MetricsHandler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
		if answer.Code != 404 || !strings.Contains(answer.Body.String(), because) {
			t.Errorf("%d %s, want 404 because %s", answer.Code, answer.Body, because)
		}
	}
}

func TestOptionsPrintThemselves(t *testing.T) {
	for want, opt := range map[string]telemetry.Option{
		"telemetry.WithSpanProcessor(*tracetest.SpanRecorder)": telemetry.WithSpanProcessor(newRecorder()),
		"telemetry.WithKeepUnsampled()":                        telemetry.WithKeepUnsampled(),
		"telemetry.WithAttributes(a, b)": telemetry.WithAttributes(attribute.Int("a", 1),
			attribute.Int("b", 2)),
		"telemetry.WithLogger":    telemetry.WithLogger(nil),
		"telemetry.WithEnviron":   telemetry.WithEnviron(nil),
		"telemetry.WithLookupEnv": telemetry.WithLookupEnv(nil),
	} {
		if opt.String() != want {
			t.Errorf("%s, want %s", opt, want)
		}
	}
}

// TestEnviron says that the last entry of a name counts, and that entries without a value do not.
func TestEnviron(t *testing.T) {
	environ := []string{"OTEL_TRACES_SAMPLER=always_on", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER=always_off"}
	tel, err := telemetry.New(t.Context(), "orders", telemetry.WithEnviron(environ))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tel.Shutdown(t.Context()) }()
	if want := "traces not exported, sampled by always_off; metrics scraped by Prometheus"; tel.String() != want {
		t.Errorf("%s, want %s", tel, want)
	}
}

package telemetry_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// vars is an environment of a few variables.
type vars map[string]string

func (v vars) environ() []string {
	var environ []string
	for _, name := range slices.Sorted(maps.Keys(v)) {
		environ = append(environ, name+"="+v[name])
	}
	return environ
}

// start sets telemetry up and stops it at the end of the test.
func start(t *testing.T, v vars, opts ...telemetry.Option) *telemetry.Telemetry {
	t.Helper()
	tel, err := telemetry.New(t.Context(), "orders", append(opts, telemetry.WithEnviron(v.environ()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tel.Shutdown(context.Background()) })
	return tel
}

// spans makes n root spans, each with a child, and returns how many of both were recorded in this process.
func spans(t *testing.T, tel *telemetry.Telemetry, n int) {
	t.Helper()
	tracer := tel.TracerProvider().Tracer("test")
	for range n {
		ctx, root := tracer.Start(t.Context(), "root")
		_, child := tracer.Start(ctx, "child")
		child.End()
		root.End()
	}
}

func newRecorder() *tracetest.SpanRecorder { return tracetest.NewSpanRecorder() }

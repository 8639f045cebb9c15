package tracing_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// points lists what was measured, one line per instrument and set of labels: "name count labels".
func points(t *testing.T, reader sdkmetric.Reader) []string {
	t.Helper()
	var collected metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &collected); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, scope := range collected.ScopeMetrics {
		if scope.Scope.Name != "github.com/parley-rpc/parley/interceptors/tracing" {
			t.Errorf("scope %q", scope.Scope.Name)
		}
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					if m.Unit != "s" || len(p.Bounds) != 14 || p.Bounds[0] != .005 || p.Bounds[13] != 10 {
						t.Errorf("%s in %q with bounds %v", m.Name, m.Unit, p.Bounds)
					}
					lines = append(lines, fmt.Sprintln(m.Name, p.Count, labels(p.Attributes)))
				}
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					lines = append(lines, fmt.Sprintln(m.Name, p.Value, labels(p.Attributes)))
				}
			default:
				t.Errorf("%s is a %T", m.Name, m.Data)
			}
		}
	}
	slices.Sort(lines)
	return lines
}

func labels(set attribute.Set) string {
	var parts []string
	for _, a := range set.ToSlice() {
		parts = append(parts, string(a.Key)+"="+a.Value.String())
	}
	return strings.Join(parts, " ")
}

func wantPoints(t *testing.T, reader sdkmetric.Reader, want ...string) {
	t.Helper()
	got, wanted := strings.Join(points(t, reader), ""), strings.Join(want, "\n")+"\n"
	if got != wanted {
		t.Errorf("measured:\n%s\nwant:\n%s", got, wanted)
	}
}

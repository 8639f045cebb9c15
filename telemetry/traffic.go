package telemetry

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/parley-rpc/parley/internal/vocabulary"
)

// Traffic has the counts of one method since the start: the calls that this process made to one target, or the calls
// that it served.
type Traffic struct {
	// Served reports whether this process served the calls. Otherwise it made them.
	Served bool
	// Method is the method as "pkg.Service/Method".
	Method string
	// Target is the host of the configured target, or "" for served calls.
	Target string
	// Calls is the number of ended calls, and Failed the number of those that failed. A made call fails with every status
	// except OK. A served call fails with a status for which the server is at fault.
	Calls, Failed uint64
	// Duration is the sum of their durations.
	Duration time.Duration
	// Within has the number of calls up to each bound of the histogram.
	Within []Within
}

// Within is the number of calls that took at most a duration.
type Within struct {
	Bound time.Duration
	Calls uint64
}

// Traffic returns the counts by method. It costs as much as a scrape, and returns nothing while metrics are off. If the
// registry returns an error, Traffic returns the error and the counts that could be read.
func (t *Telemetry) Traffic() ([]Traffic, error) {
	if t.gather == nil {
		return nil, nil
	}
	families, err := t.gather()
	type key struct {
		served         bool
		method, target string
	}
	counted := map[key]*Traffic{}
	for _, family := range families {
		served := family.GetName() == prometheusName(vocabulary.MetricServerCallDuration)
		if !served && family.GetName() != prometheusName(vocabulary.MetricClientCallDuration) {
			continue
		}
		for _, m := range family.GetMetric() {
			k := key{served: served, method: labelOf(m, vocabulary.AttrMethod), target: labelOf(m, vocabulary.AttrServerAddress)}
			of := counted[k]
			if of == nil {
				of = &Traffic{Served: served, Method: k.method, Target: k.target}
				counted[k] = of
			}
			of.add(m)
		}
	}
	list := make([]Traffic, 0, len(counted))
	for _, of := range counted {
		list = append(list, *of)
	}
	slices.SortFunc(list, func(a, b Traffic) int {
		return cmp.Or(cmp.Compare(a.Method, b.Method), cmp.Compare(a.Target, b.Target))
	})
	return list, err
}

// add adds the calls that ended with one status.
func (t *Traffic) add(m *dto.Metric) {
	h := m.GetHistogram()
	t.Calls += h.GetSampleCount()
	t.Duration += time.Duration(h.GetSampleSum() * float64(time.Second))
	if labelOf(m, vocabulary.AttrErrorType) != "" {
		t.Failed += h.GetSampleCount()
	}
	for i, bucket := range h.GetBucket() {
		if math.IsInf(bucket.GetUpperBound(), 1) {
			break
		}
		if i == len(t.Within) {
			t.Within = append(t.Within, Within{Bound: time.Duration(bucket.GetUpperBound() * float64(time.Second))})
		}
		t.Within[i].Calls += bucket.GetCumulativeCount()
	}
}

// prometheusName returns the name of a histogram of seconds in Prometheus.
func prometheusName(name string) string { return strings.ReplaceAll(name, ".", "_") + "_seconds" }

func labelOf(m *dto.Metric, key string) string {
	name := strings.ReplaceAll(key, ".", "_")
	for _, label := range m.GetLabel() {
		if label.GetName() == name {
			return label.GetValue()
		}
	}
	return ""
}

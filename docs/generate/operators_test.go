package main

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	rpccode "google.golang.org/genproto/googleapis/rpc/code"

	"github.com/parley-rpc/parley/internal/vocabulary"
	"github.com/parley-rpc/parley/rpcerr"
)

// prometheus are the names under which Prometheus has a metric.
func prometheus(m vocabulary.Instrument) []string {
	name := strings.ReplaceAll(m.Name, ".", "_")
	switch m.Unit {
	case "s":
		name += "_seconds"
	case "By":
		name += "_bytes"
	case "1":
		name += "_ratio"
	}
	switch m.Kind {
	case vocabulary.Counter:
		return []string{name + "_total"}
	case vocabulary.Histogram:
		return []string{name + "_bucket", name + "_count", name + "_sum"}
	case vocabulary.Gauge:
	}
	return []string{name}
}

// labels are the names that labels of Parley's metrics have in Prometheus.
func labelNames() map[string]bool {
	known := map[string]bool{"job": true, "instance": true, "le": true}
	for _, m := range vocabulary.Metrics() {
		for _, key := range m.Attributes {
			known[strings.ReplaceAll(key, ".", "_")] = true
		}
	}
	return known
}

// labelValues are the values that a label may have, for labels whose values are a closed set.
func labelValues() map[string][]string {
	var reasons, stops, codes []string
	for _, r := range rpcerr.Reasons() {
		reasons = append(reasons, string(r))
	}
	for _, r := range vocabulary.StopReasons() {
		stops = append(stops, r.Name)
	}
	for _, name := range rpccode.Code_name {
		codes = append(codes, name)
	}
	return map[string][]string{
		"parley_auth_reason":  reasons,
		"parley_auth_outcome": append(slices.Clone(reasons), "proven", "broken"),
		"reason":              stops,
		"rpc_status_code":     codes,
		"grpc_status":         codes,
		"parley_auth_dry_run": {"true", "false"},
		"parley_auth_role":    {"client", "server"},
		"parley_endpoint_state": {
			vocabulary.EndpointUsable, vocabulary.EndpointResting, vocabulary.EndpointPaused, vocabulary.EndpointUnready,
		},
		"cpu_mode":       {"user", "system"},
		"go_memory_type": {"stack", "other"},
	}
}

// panels are the panels of the dashboard.
type panels []struct {
	ID      int
	Type    string
	Title   string
	GridPos struct{ X, Y, W, H int }
	Targets []struct{ Expr string }
}

func dashboard(t *testing.T) panels {
	t.Helper()
	var d struct{ Panels panels }
	if err := json.Unmarshal([]byte(read(t, "observability/grafana.json")), &d); err != nil {
		t.Fatal(err)
	}
	return d.Panels
}

// What operators are given names the metrics, labels and values that the code has.
func TestDashboardAndAlertsSpeakTheVocabulary(t *testing.T) {
	known := map[string]bool{}
	for _, m := range vocabulary.Metrics() {
		for _, name := range prometheus(m) {
			known[name] = true
		}
	}
	rules := read(t, "observability/prometheus.rules.yml")
	for _, found := range regexp.MustCompile(`record: (\S+)`).FindAllStringSubmatch(rules, -1) {
		known[found[1]] = true
	}
	var shown []string
	for _, p := range dashboard(t) {
		for _, target := range p.Targets {
			shown = append(shown, target.Expr)
		}
	}
	labels, values := labelNames(), labelValues()
	for where, text := range map[string]string{"the rules": rules, "the dashboard": strings.Join(shown, "\n")} {
		named := regexp.MustCompile(`\b(?:rpc|grpc|parley|go|process)_\w+|parley:\w+:\w+`).FindAllString(text, -1)
		slices.Sort(named)
		for _, name := range slices.Compact(named) {
			if !known[name] && !labels[name] {
				t.Errorf("%s names %s, which is neither a metric nor a label", where, name)
			}
		}
		for _, found := range regexp.MustCompile(`(\w+)(?:=|!=|=~|!~)"([^"$]*)"`).FindAllStringSubmatch(text, -1) {
			allowed, closed := values[found[1]]
			if !labels[found[1]] {
				t.Errorf("%s selects by %s, which no metric has", where, found[1])
			}
			for value := range strings.SplitSeq(found[2], "|") {
				if closed && !slices.Contains(allowed, value) {
					t.Errorf("%s selects %s=%q; there are %v", where, found[1], value, allowed)
				}
			}
		}
	}
}

// Every metric is on the dashboard, or left out for a reason.
func TestTheDashboardShowsEveryMetric(t *testing.T) {
	hidden := map[string]string{
		vocabulary.MetricCallRetries:     "attempts for each call say the same",
		vocabulary.MetricCallHedges:      "attempts for each call say the same",
		vocabulary.MetricBudgetSpent:     "the balance shows it",
		vocabulary.MetricBudgetRefused:   "attempts withheld show it",
		vocabulary.MetricTrustAge:        "what is left is shown",
		vocabulary.MetricTrustKeys:       "how long they are good for is shown, and an alert watches their number",
		vocabulary.MetricConfigAge:       "changes are shown",
		vocabulary.MetricCallRetryDelay:  "latency includes it",
		vocabulary.MetricMemoryLimit:     "for those who look closer",
		vocabulary.MetricMemoryAllocated: "for those who look closer",
		vocabulary.MetricAllocations:     "for those who look closer",
		vocabulary.MetricCollectorGoal:   "for those who look closer",
		vocabulary.MetricCollections:     "for those who look closer",
		vocabulary.MetricProcessors:      "for those who look closer",
		vocabulary.MetricUptime:          "for those who look closer",
		vocabulary.MetricThreads:         "for those who look closer",
	}
	var shown strings.Builder
	for _, p := range dashboard(t) {
		for _, target := range p.Targets {
			shown.WriteString(target.Expr + "\n")
		}
	}
	for _, m := range vocabulary.Metrics() {
		visible := slices.ContainsFunc(prometheus(m), func(name string) bool { return strings.Contains(shown.String(), name) })
		if _, left := hidden[m.Name]; visible == left {
			t.Errorf("%s: on the dashboard %v, left out on purpose %v", m.Name, visible, left)
		}
		delete(hidden, m.Name)
	}
	if len(hidden) > 0 {
		t.Errorf("there is no metric %v", slices.Sorted(maps.Keys(hidden)))
	}
}

// Grafana loses one of two panels with the same ID, and draws one of two in the same place.
func TestEachPanelIsItsOwn(t *testing.T) {
	all := dashboard(t)
	for i, p := range all {
		for _, q := range all[:i] {
			if p.ID == q.ID {
				t.Errorf("%q and %q both have the ID %d", q.Title, p.Title, p.ID)
			}
			a, b := p.GridPos, q.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("%q and %q overlap", q.Title, p.Title)
			}
		}
		if p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("%q is wider than the dashboard", p.Title)
		}
	}
	if len(all) < 20 {
		t.Errorf("there are only %d panels", len(all))
	}
}

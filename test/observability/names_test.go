package observability_test

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What operators are given names only metrics and labels that services export, so that no panel is empty and no alert
// asleep.
func TestDashboardAndAlertsNameOnlyWhatIsExported(t *testing.T) {
	scrape := newTown(t).trade()
	exported, labels := map[string]bool{}, map[string]bool{"job": true, "le": true}
	for line := range strings.Lines(scrape) {
		if found := regexp.MustCompile(`^([a-z_]+)(\{.*\})? `).FindStringSubmatch(line); found != nil {
			exported[found[1]] = true
			for _, label := range regexp.MustCompile(`([a-z_]+)="`).FindAllStringSubmatch(found[2], -1) {
				labels[label[1]] = true
			}
		}
	}
	recorded := map[string]bool{}
	rules := read(t, "prometheus.rules.yml")
	for _, found := range regexp.MustCompile(`record: (\S+)`).FindAllStringSubmatch(rules, -1) {
		recorded[found[1]] = true
	}
	panels := dashboard(t)
	if len(panels) < 15 {
		t.Errorf("the dashboard has only %d expressions", len(panels))
	}
	for where, text := range map[string]string{"the rules": rules, "the dashboard": strings.Join(panels, "\n")} {
		metrics := regexp.MustCompile(`\b(?:rpc|grpc|parley|go|process)_\w+|parley:\w+:\w+`).FindAllString(text, -1)
		slices.Sort(metrics)
		for _, name := range slices.Compact(metrics) {
			if !exported[name] && !labels[name] && !recorded[name] {
				t.Errorf("%s names %s, which no service exports; there are %v", where, name, slices.Sorted(maps.Keys(exported)))
			}
		}
	}
}

// Every name that a service exports is explained.
func TestEveryMetricIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := strings.ReplaceAll(string(text), ".", "_")
	for line := range strings.Lines(newTown(t).trade()) {
		name, _, ok := strings.Cut(strings.TrimPrefix(line, "# TYPE "), " ")
		if !ok || !strings.HasPrefix(line, "# TYPE ") || name == "target_info" {
			continue
		}
		for _, suffix := range []string{"_total", "_seconds", "_bytes", "_ratio"} {
			name = strings.TrimSuffix(name, suffix)
		}
		if !strings.Contains(documented, "`"+name+"`") {
			t.Errorf("docs/observability.md does not explain %s", name)
		}
	}
}

// dashboard lists the expressions of the dashboard.
func dashboard(t *testing.T) []string {
	t.Helper()
	var d struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "grafana.json")), &d); err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			list = append(list, target.Expr)
		}
	}
	return list
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../observability/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

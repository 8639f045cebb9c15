package telemetry_test

import (
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// TestTheProcessIsMeasured says what Prometheus reads of the Go runtime and of the process, without anything installed.
func TestTheProcessIsMeasured(t *testing.T) {
	text := scrape(t, start(t, nil), "text/plain").Body.String()
	names := []string{
		`go_memory_used_bytes{go_memory_type="stack"}`, `go_memory_used_bytes{go_memory_type="other"}`,
		"go_memory_allocated_bytes_total", "go_memory_allocations_total", "go_memory_gc_goal_bytes",
		"go_memory_gc_cycles_total", "go_goroutine_count", "go_processor_limit", "process_uptime_seconds",
	}
	if runtime.GOOS == "linux" {
		names = append(names, `process_cpu_time_seconds_total{cpu_mode="user"}`,
			`process_cpu_time_seconds_total{cpu_mode="system"}`, "process_memory_usage_bytes", "process_thread_count",
			"process_unix_file_descriptor_count")
	}
	for _, name := range names {
		found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindStringSubmatch(text)
		if found == nil {
			t.Errorf("no %s in\n%s", name, text)
			continue
		}
		value, err := strconv.ParseFloat(found[1], 64)
		idle := strings.Contains(name, "cpu_time") || strings.Contains(name, "gc_cycles")
		if err != nil || value < 0 || value == 0 && !idle {
			t.Errorf("%s is %s", name, found[1])
		}
	}
}

// TestReplicasAreToldApart says that each start has an instance ID of its own, unless the environment states one.
func TestReplicasAreToldApart(t *testing.T) {
	instance := func(v vars) string {
		t.Helper()
		text := scrape(t, start(t, v), "text/plain").Body.String()
		found := regexp.MustCompile(`service_instance_id="([^"]+)"`).FindStringSubmatch(text)
		if found == nil {
			t.Fatalf("no service.instance.id in\n%s", text)
		}
		return found[1]
	}
	first, second := instance(nil), instance(nil)
	if len(first) != 36 || first == second {
		t.Errorf("two starts are %s and %s", first, second)
	}
	if got := instance(vars{"OTEL_RESOURCE_ATTRIBUTES": "service.instance.id=orders-0"}); got != "orders-0" {
		t.Errorf("the stated instance ID became %s", got)
	}
}

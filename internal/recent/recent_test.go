package recent_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/parley-rpc/parley/internal/recent"
)

var (
	noon   = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	limits = recent.Limits{Entries: 100, Interval: 10 * time.Second, Lines: 20}
)

func TestEqualEventsAreLoggedOnceInAWhile(t *testing.T) {
	events := recent.New[string, int](limits)
	for n, step := range []struct {
		after time.Duration
		key   string
		log   bool
		equal uint64
	}{
		{0, "a", true, 0},
		{time.Second, "a", false, 0},
		{2 * time.Second, "a", false, 0},
		{2 * time.Second, "b", true, 0},
		{10*time.Second - 1, "a", false, 0},
		{10 * time.Second, "a", true, 3},
		{11 * time.Second, "a", false, 0},
		{30 * time.Second, "a", true, 1},
	} {
		log, equal, others := events.Add(step.key, n, noon.Add(step.after))
		if log != step.log || equal != step.equal || others != 0 {
			t.Errorf("after %s, %s: %v, %d, %d; want %v, %d, 0", step.after, step.key, log, equal, others, step.log, step.equal)
		}
	}
	all := events.All()
	want := recent.Entry[int]{Event: 7, First: noon, Last: noon.Add(30 * time.Second), Times: 7}
	if len(all) != 2 || all[0] != want {
		t.Errorf("the entries are %+v", all)
	}
}

// However many different events there are, the log grows by so many lines in an interval, and the list is bounded.
func TestAFloodIsBounded(t *testing.T) {
	events := recent.New[string, int](limits)
	lines := 0
	for n := range 1000 {
		if log, _, _ := events.Add(strconv.Itoa(n), n, noon); log {
			lines++
		}
	}
	if lines != limits.Lines {
		t.Errorf("%d lines were logged, want %d", lines, limits.Lines)
	}
	log, _, others := events.Add("later", 0, noon.Add(limits.Interval))
	if !log || others != uint64(1000-limits.Lines) {
		t.Errorf("the next interval logs: %v, others %d", log, others)
	}
	if all := events.All(); len(all) != limits.Entries || all[len(all)-1].Event != 901 {
		t.Errorf("%d entries are kept, the oldest %+v", len(all), all[len(all)-1])
	}
}

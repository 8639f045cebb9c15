package waterfall

import (
	"testing"

	"github.com/parley-rpc/parley/internal/vocabulary"
)

// Every stop reason but success is said in words.
func TestEveryStopReasonIsExplained(t *testing.T) {
	for _, reason := range vocabulary.StopReasons() {
		words := explain(reason.Name, 2)
		if (words == "") != (reason.Name == vocabulary.StopOK) || words == reason.Name {
			t.Errorf("explain(%q) = %q", reason.Name, words)
		}
	}
	if got := explain("made up", 1); got != "made up" {
		t.Errorf("an unknown reason is explained as %q, want itself", got)
	}
}

package waterfall_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/parley-rpc/parley/waterfall"
)

func FuzzText(f *testing.F) {
	f.Add(quote, "10.0.0.1:8443", "UNAVAILABLE", "budget", int64(4*ms), int64(182*ms), int64(2*time.Second), 100)
	f.Add("", "\x1b[2J", "漢字", "\n", int64(-1), int64(0), int64(1), 1)
	f.Add("a/b", "", "OK", "deadline", int64(1)<<62, int64(-1)<<62, int64(1)<<61, 1000)
	f.Fuzz(func(t *testing.T, method, endpoint, status, reason string, a, b, c int64, width int) {
		width = min(width, 500)
		inner := waterfall.Call{
			Method: method, Status: status, Duration: time.Duration(b), Direction: waterfall.Incoming,
			Start: epoch.Add(time.Duration(c)),
		}
		call := waterfall.Call{
			Method: method, Status: status, StopReason: reason, Explanation: reason, Start: epoch,
			Duration: time.Duration(a), Deadline: time.Duration(c), Calls: []waterfall.Call{inner},
			Attempts: []waterfall.Attempt{
				{
					Number: int(a), Endpoint: endpoint, Status: status, Offset: time.Duration(b), Duration: time.Duration(a),
					Calls: []waterfall.Call{inner},
				},
				{Number: 2, Open: true, Offset: time.Duration(c), Duration: time.Duration(b), Hedge: true},
			},
			Waits: []waterfall.Wait{{Next: 2, Offset: time.Duration(a), Duration: time.Duration(b), Source: status}},
		}
		var drawn strings.Builder
		if err := (waterfall.Drawing{Width: width}).Text(&drawn, call); err != nil {
			t.Fatal(err)
		}
		limit := max(width, 60)
		if width == 0 {
			limit = waterfall.DefaultWidth
		}
		for line := range strings.Lines(drawn.String()) {
			line = strings.TrimSuffix(line, "\n")
			if n := utf8.RuneCountInString(line); n > limit || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' }) {
				t.Errorf("a line of %d characters at width %d: %q", n, limit, line)
			}
		}
	})
}

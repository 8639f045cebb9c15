package waterfall

import (
	"fmt"
	"io"
	"strings"
)

// WriteText draws all calls that the ring keeps, oldest first, with an empty line between them. It returns the error of
// the writer.
func (r *Ring) WriteText(w io.Writer) error {
	calls, _ := r.changedSince(0)
	return writeAll(w, calls)
}

func writeAll(w io.Writer, calls []Call) error {
	for i, c := range calls {
		if i > 0 {
			if _, err := io.WriteString(w, "\n"); err != nil {
				return err
			}
		}
		if err := Text(w, c); err != nil {
			return err
		}
	}
	return nil
}

// TB is the part of testing.TB that LogOnFailure needs.
type TB interface {
	Helper()
	Cleanup(func())
	Failed() bool
	Log(args ...any)
}

// LogOnFailure logs the newest calls of the ring if the test fails, so that the log has every attempt before the
// failure. Call it first, so that clean-up functions that are registered later, such as closing a client, run before
// it.
func LogOnFailure(t TB, r *Ring) {
	t.Helper()
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		calls, _ := r.changedSince(0)
		skipped := max(0, len(calls)-failureCalls)
		var b strings.Builder
		fmt.Fprintf(&b, "calls of this test: %d", len(calls))
		if skipped > 0 {
			fmt.Fprintf(&b, ", the last %d of them drawn", failureCalls)
		}
		b.WriteString("\n")
		_ = writeAll(&b, calls[skipped:]) // a Builder does not fail
		t.Log(strings.TrimSuffix(b.String(), "\n"))
	})
}

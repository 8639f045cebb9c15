package waterfall

import (
	"fmt"
	"io"
	"strings"
)

// WriteText draws every call that the ring keeps, the oldest first, with an empty line between them. It returns the
// error of the writer.
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

// LogOnFailure makes a test that fails log the newest calls of the ring, so that the log shows every attempt that led
// to the failure. Call it first: what is registered for clean-up later, such as closing a client, then runs before.
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

package admin

import (
	"fmt"
	"io"
	"strings"
)

// State is the state of a row or a check. The zero value means that a row has no state.
type State string

const (
	// Good means that it is as expected.
	Good State = "good"
	// Warning means that an operator should look at it.
	Warning State = "warning"
	// Bad means that it does not work.
	Bad State = "bad"
)

// Check is a line of the readiness view. Its texts may contain unescaped text from a peer.
type Check struct {
	// State is [Good], [Warning] or [Bad].
	State State
	// Name is the subject of the check: "database".
	Name string
	// Detail is its result: "ok".
	Detail string
}

// writeChecks writes a line for each check. It begins with [+], [!] for a warning or [-]. An error of w means that the
// client is gone.
func writeChecks(w io.Writer, checks []Check) {
	for _, c := range checks {
		mark := "[-]"
		switch c.State {
		case Good:
			mark = "[+]"
		case Warning:
			mark = "[!]"
		case Bad:
		}
		detail := strings.ReplaceAll(c.Detail, "\n", "; ")
		_, _ = fmt.Fprintf(w, "%s %s: %s\n", mark, oneLine(c.Name), oneLine(detail))
	}
}

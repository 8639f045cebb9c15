package admin

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// Refusal is a call, a handshake or an answer that was refused, or several equal ones. What a peer wrote may stand in
// its texts as it is.
type Refusal struct {
	// Of is what was refused: "call", "handshake", "answer", or "trial" for a call that passed although a policy on trial
	// would refuse it.
	Of string `json:"of"`
	// Last is when it happened, the last time.
	Last time.Time `json:"last"`
	// First is when it happened for the first time.
	First time.Time `json:"first"`
	// Times is how often it happened from First to Last.
	Times uint64 `json:"times"`
	// Peer is the proven peer; "" for one that proved nothing.
	Peer string `json:"peer,omitempty"`
	// User is the end user, under a pseudonym.
	User string `json:"user,omitempty"`
	// Address is where the peer was.
	Address string `json:"address,omitempty"`
	// Agent is what the peer calls its program, unproven.
	Agent string `json:"agent,omitempty"`
	// Method is the method as "pkg.Service/Method"; "" for a handshake.
	Method string `json:"method,omitempty"`
	// Reason is the public reason.
	Reason string `json:"reason"`
	// Cause is why, in words that the peer never sees.
	Cause string `json:"cause,omitempty"`
	// Decided is the statement of the policy that decided.
	Decided string `json:"decided,omitempty"`
}

// refusalList is the JSON form of the recent refusals.
type refusalList struct {
	Refusals []Refusal `json:"refusals"`
}

// writeRefusals writes a table of them.
func writeRefusals(w io.Writer, list []Refusal) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "last\ttimes\tof\twho\taddress\tmethod\treason\tcause")
	for i := range list {
		r := &list[i]
		cells := []string{
			r.Last.UTC().Format("2006-01-02T15:04:05.000Z"), fmt.Sprint(r.Times), r.Of, cmp.Or(r.Peer, "unproven"),
			cmp.Or(r.Address, "-"),
			cmp.Or(r.Method, "-"), r.Reason, r.Cause,
		}
		for i := range cells {
			cells[i] = oneLine(cells[i])
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	_ = table.Flush() // the client has gone
}

// oneLine replaces what could begin another cell or line, or move the cursor of a terminal.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, text)
}

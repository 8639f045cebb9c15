package admin

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// Refusal is one refused call, handshake or answer, or several equal ones. Its texts may contain unescaped text from a
// peer.
type Refusal struct {
	// Of is the kind of refusal: "call", "handshake", "answer", or "trial" for a call that a policy on trial would have
	// refused.
	Of string `json:"of"`
	// Last is the time of the last refusal.
	Last time.Time `json:"last"`
	// First is the time of the first refusal.
	First time.Time `json:"first"`
	// Times is the number of refusals from First to Last.
	Times uint64 `json:"times"`
	// Peer is the proven peer, or "" if the peer has not proven its identity.
	Peer string `json:"peer,omitempty"`
	// User is the end user, under a pseudonym.
	User string `json:"user,omitempty"`
	// Address is the address of the peer.
	Address string `json:"address,omitempty"`
	// Agent is the user agent of the peer, which is not proven.
	Agent string `json:"agent,omitempty"`
	// Method is the method as "pkg.Service/Method"; "" for a handshake.
	Method string `json:"method,omitempty"`
	// Reason is the public reason.
	Reason string `json:"reason"`
	// Cause is the cause of the refusal, which the peer never learns.
	Cause string `json:"cause,omitempty"`
	// Decided is the statement of the policy that decided.
	Decided string `json:"decided,omitempty"`
}

// refusalList is the JSON form of the recent refusals.
type refusalList struct {
	Refusals []Refusal `json:"refusals"`
}

// writeRefusals writes a table of refusals.
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
	_ = table.Flush() // an error means that the client is gone
}

// oneLine replaces characters that could start another cell or line, or move the cursor of a terminal.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, text)
}

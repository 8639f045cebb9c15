package waterfall

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/parley-rpc/parley/internal/vocabulary"
)

// Drawing configures how calls are drawn as text. [Text] uses the zero value.
type Drawing struct {
	// Width is the maximum width of a line, in characters. 0 means [DefaultWidth]. A value below 60 means 60.
	Width int
	// Color adds the color codes of terminals. Set it only if the writer is a terminal.
	Color bool
}

// Text draws one call as lines of at most 100 characters, without colour:
//
//	shop.payments.v1.PaymentsService/GetQuote                     OK  recovered  105ms of 2s  2 attempts
//	  1  10.0.0.1:8443  UNAVAILABLE  ██████                                                         10ms
//	     wait                             ····························                              48ms
//	  2  10.0.0.2:8443  OK                                           ██████████████████████████     47ms
//
// The first line is the call: method, status, outcome, duration of deadline, attempts. The next lines are its attempts
// and the waits between them on one time scale, with the calls that served them in this process. Then follow the status
// message, if the ring keeps messages, and the reason why a failed call was not retried. The deadline is a vertical
// line if it is near enough. A bar that ends in > is still growing. Text returns the error of the writer.
func Text(w io.Writer, c Call) error { return Drawing{}.Text(w, c) }

// String returns the drawing of the call, so that t.Log(call) shows it.
func (c Call) String() string {
	var b strings.Builder
	_ = Text(&b, c) // a Builder does not fail
	return strings.TrimSuffix(b.String(), "\n")
}

// Text draws one call. It returns the error of the writer.
func (d Drawing) Text(w io.Writer, c Call) error {
	var b bytes.Buffer
	p := d.plan(c)
	p.header(&b, c)
	for i := range p.lines {
		p.line(&b, &p.lines[i])
	}
	p.footer(&b, c)
	_, err := w.Write(b.Bytes())
	return err
}

func (p *plan) header(b *bytes.Buffer, c Call) {
	result, rest := statusOf(c.Status, c.Open), ""
	if c.Outcome == vocabulary.OutcomeRecovered {
		rest += "  " + vocabulary.OutcomeRecovered
	}
	rest += "  " + formatDuration(c.Duration, c.Open)
	if c.Deadline > 0 {
		rest += " of " + formatDuration(c.Deadline, false)
	}
	switch {
	case c.Direction == Incoming && c.Number > 1:
		rest += fmt.Sprintf("  served, attempt %d", c.Number)
	case c.Direction == Incoming:
		rest += "  served"
	case c.AttemptCount == 1:
		rest += "  1 attempt"
	case c.AttemptCount > 1 || !c.Open:
		rest += fmt.Sprintf("  %d attempts", c.AttemptCount)
	}
	method := cutFront(printable(c.Method), p.width-length(result)-length(rest)-2)
	pad := p.width - length(method) - length(result) - length(rest)
	b.WriteString(p.paint(bold, method) + strings.Repeat(" ", pad) + p.paint(colorOf(c.Status, c.Open), result) + rest +
		"\n")
}

func (p *plan) line(b *bytes.Buffer, l *line) {
	label := padRight(cut(printable(l.label), p.labelWidth), p.labelWidth)
	status := padRight(cut(printable(l.status), p.statusWidth), p.statusWidth)
	tone := colorOf(l.status, l.open)
	if l.shape == gap || l.shape == mark {
		tone = dim
		label = p.paint(dim, label)
	}
	before, body, after := p.timeline(l)
	duration := formatDuration(l.to-l.from, l.open)
	if l.shape == mark {
		duration = formatDuration(l.to, false)
	}
	text := "  " + label + "  " + p.paint(tone, status) + "  " + p.paint(dim, before) + p.paint(tone, body) +
		p.paint(dim, after)
	b.WriteString(text + " " + padLeft(duration, durationWidth) + "\n")
}

func (p *plan) footer(b *bytes.Buffer, c Call) {
	if c.Message != "" {
		b.WriteString("  message: " + cut(printable(c.Message), p.width-len("  message: ")) + "\n")
	}
	if c.Explanation != "" {
		b.WriteString("  stopped: " + cut(printable(c.Explanation), p.width-len("  stopped: ")) + "\n")
	}
}

func statusOf(status string, open bool) string {
	if open {
		return "in flight"
	}
	return cut(printable(status), maxStatusWidth)
}

func length(s string) int { return utf8.RuneCountInString(s) }

func padRight(s string, width int) string { return s + strings.Repeat(" ", max(0, width-length(s))) }

func padLeft(s string, width int) string { return strings.Repeat(" ", max(0, width-length(s))) + s }

// cut shortens s at its end.
func cut(s string, width int) string {
	if length(s) <= width {
		return s
	}
	return string([]rune(s)[:width-1]) + "…"
}

// cutFront shortens s at its front, because the end of a method name is the most important part.
func cutFront(s string, width int) string {
	n := length(s)
	if n <= width {
		return s
	}
	return "…" + string([]rune(s)[n-width+1:])
}

// printable replaces characters that could move the cursor of a terminal, change its colors, or break the alignment.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= ' ' && r <= '~' || r == '…' {
			return r
		}
		return '?'
	}, s)
}

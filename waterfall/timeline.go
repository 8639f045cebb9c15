package waterfall

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// timeline draws a line on the scale: the part before its bar, the bar, and the part after it. Together they are one
// character wider than the timeline, so that there is a place for a deadline at the end. Bars have a resolution of half
// a character and are always visible.
func (p *plan) timeline(l *line) (before, body, after string) {
	cells := []rune(strings.Repeat(" ", p.timelineWidth+1))
	if p.deadline > 0 {
		cells[int(p.position(p.deadline)*float64(p.timelineWidth))] = '│'
	}
	if l.shape == mark {
		return string(cells), "", ""
	}
	halves := float64(2 * p.timelineWidth)
	begin := min(int(math.Floor(p.position(l.from)*halves)), 2*p.timelineWidth-1)
	end := max(int(math.Ceil(p.position(l.to)*halves-1e-6)),
		begin+1) // the tolerance keeps a rounding error from adding half a character
	first, last := begin/2, (end-1)/2
	for i := first; i <= last; i++ {
		switch {
		case l.shape == gap && cells[i] == ' ':
			cells[i] = '·'
		case l.shape == gap:
		case 2*i < begin:
			cells[i] = '▐'
		case 2*i+1 >= end:
			cells[i] = '▌'
		default:
			cells[i] = '█'
		}
	}
	if l.open {
		cells[last] = '>'
	}
	return string(cells[:first]), string(cells[first : last+1]), string(cells[last+1:])
}

func (p *plan) position(at time.Duration) float64 {
	return min(1, max(0, float64(at)/float64(p.scale)))
}

// formatDuration formats a duration with two or three significant digits: 850µs, 4.1ms, 182ms, 1.25s, 12.3s, 3m20s,
// 2h5m, 12d. An open duration ends in +.
func formatDuration(d time.Duration, open bool) string {
	text := "0"
	switch {
	case d <= 0:
	case d < time.Millisecond:
		text = fmt.Sprintf("%dµs", d.Microseconds())
	case d < shortDuration:
		text = decimal(d.Seconds()*1e3, 1) + "ms"
	case d < time.Second:
		text = fmt.Sprintf("%dms", d.Round(time.Millisecond).Milliseconds())
	case d < 10*time.Second:
		text = decimal(d.Seconds(), 2) + "s"
	case d < time.Minute:
		text = decimal(d.Seconds(), 1) + "s"
	case d < time.Hour:
		d = d.Round(time.Second)
		text = fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 100*time.Hour:
		d = d.Round(time.Minute)
		text = fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	default:
		text = fmt.Sprintf("%dd", min(d/(24*time.Hour), 9999))
	}
	if open {
		text += "+"
	}
	return text
}

// decimal formats a number with so many decimals, without trailing zeros.
func decimal(v float64, decimals int) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.*f", decimals, v), "0"), ".")
}

// The terminal codes for the colors of a drawing.
const (
	plain  = ""
	bold   = "\x1b[1m"
	dim    = "\x1b[2m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	cyan   = "\x1b[36m"
	normal = "\x1b[0m"
)

func colorOf(status string, open bool) string {
	switch {
	case open:
		return cyan
	case status == statusOK:
		return green
	case status == "":
		return plain
	default:
		return red
	}
}

func (p *plan) paint(color, text string) string {
	if !p.color || color == plain || strings.TrimSpace(text) == "" {
		return text
	}
	return color + text + normal
}

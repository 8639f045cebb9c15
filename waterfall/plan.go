package waterfall

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// plan is the layout of a call as lines with one time scale.
type plan struct {
	width, labelWidth, statusWidth, timelineWidth int

	color    bool
	lines    []line
	scale    time.Duration // the duration of the whole timeline
	deadline time.Duration // 0 if it is not drawn
}

// line is one bar of a drawing. Its times are relative to the start of the call.
type line struct {
	label, status string
	shape         shape
	from, to      time.Duration
	open          bool
}

type shape uint8

const (
	bar shape = iota
	gap
	mark
)

// durationWidth is the column of the durations, the longest of which is like "59m59s+".
const durationWidth = 7

func (d Drawing) plan(c Call) *plan {
	p := &plan{width: d.Width, color: d.Color}
	if p.width == 0 {
		p.width = DefaultWidth
	}
	p.width = max(p.width, minWidth)
	if c.Direction == Incoming || len(c.Attempts)+len(c.Calls) == 0 {
		p.addCall(c, c, 0, "")
	} else {
		p.addBelow(c, 0, "")
	}
	p.scale = max(c.Duration, 1)
	for _, l := range p.lines {
		p.scale = max(p.scale, l.to)
	}
	if c.Deadline > 0 && (c.Deadline <= deadlineReach*c.Duration || c.StopReason == "deadline") {
		p.deadline, p.scale = c.Deadline, max(p.scale, c.Deadline)
		p.lines = append(p.lines, line{label: "   deadline", shape: mark, to: c.Deadline})
	}
	for _, l := range p.lines {
		p.labelWidth = max(p.labelWidth, min(length(l.label), maxLabelWidth))
		p.statusWidth = max(p.statusWidth, min(length(l.status), maxStatusWidth))
	}
	// before the label, the status and the timeline; the end of the timeline; before the duration
	gaps := 2 + 2 + 2 + 1 + 1
	rest := p.width - gaps - durationWidth - p.statusWidth
	p.labelWidth = min(p.labelWidth, rest-minTimelineWidth)
	p.timelineWidth = rest - p.labelWidth
	return p
}

// addBelow adds the attempts of a call that started at from, its waits, and the calls below it, in the order of time.
func (p *plan) addBelow(c Call, from time.Duration, indent string) {
	type step struct {
		at  time.Duration
		add func()
	}
	var steps []step
	digits := len(fmt.Sprint(len(c.Attempts)))
	for _, w := range c.Waits {
		steps = append(steps, step{w.Offset, func() {
			p.lines = append(p.lines, line{
				label: indent + strings.Repeat(" ", digits) + "  wait", status: w.Source, shape: gap,
				from: from + w.Offset, to: from + w.Offset + w.Duration, open: w.Open,
			})
			if w.Source == "policy" {
				p.lines[len(p.lines)-1].status = "" // the usual case
			}
		}})
	}
	for _, a := range c.Attempts {
		steps = append(steps, step{a.Offset, func() { p.addAttempt(a, c, from, indent, digits) }})
	}
	for _, below := range c.Calls {
		steps = append(steps, step{below.Start.Sub(c.Start), func() { p.addCall(below, c, from, indent) }})
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	for _, s := range steps {
		s.add()
	}
}

func (p *plan) addAttempt(a Attempt, of Call, from time.Duration, indent string, digits int) {
	label := fmt.Sprintf("%s%*d  %s", indent, digits, a.Number, endpointOf(a))
	if a.Hedge {
		label += " hedge"
	}
	p.lines = append(p.lines, line{
		label: label, status: statusOf(a.Status, a.Open), from: from + a.Offset, to: from + a.Offset + a.Duration,
		open: a.Open,
	})
	for _, below := range a.Calls {
		p.addCall(below, of, from, indent+strings.Repeat(" ", digits)+"  ")
	}
}

// addCall adds a call that is part of another call, which started at from.
func (p *plan) addCall(c, of Call, from time.Duration, indent string) {
	begin := from + c.Start.Sub(of.Start)
	name := nameOf(c)
	if c.Direction == Incoming && c.Method != of.Method {
		name += " " + shortMethod(c.Method)
	}
	p.lines = append(p.lines, line{
		label: indent + name, status: statusOf(c.Status, c.Open), from: begin,
		to: begin + c.Duration, open: c.Open,
	})
	p.addBelow(c, begin, indent+"  ")
}

func nameOf(c Call) string {
	if c.Direction == Incoming {
		return "server"
	}
	return shortMethod(c.Method)
}

func shortMethod(method string) string {
	slash := strings.LastIndexByte(method, '/')
	if slash < 0 {
		return method
	}
	return method[strings.LastIndexByte(method[:slash], '.')+1:]
}

func endpointOf(a Attempt) string {
	switch {
	case a.Endpoint != "":
		return a.Endpoint
	case a.Open:
		return "not yet known"
	default:
		return "not connected"
	}
}

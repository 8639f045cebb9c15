package policy

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
)

// reader turns one statement in the schema into terms and collects what is wrong with it.
type reader struct {
	source   Source
	subject  string
	mistakes []error
}

func (r *reader) wrong(field, format string, args ...any) {
	problem := fmt.Sprintf(format, args...)
	r.mistakes = append(r.mistakes, &Mistake{Source: r.source, Subject: r.subject, Field: field, Problem: problem})
}

// words copies a list of strings, none of which may be empty.
func (r *reader) words(field string, values []string) []string {
	if slices.Contains(values, "") {
		r.wrong(field, "an entry is empty; take it out or write what was meant")
	}
	return slices.Clone(values)
}

func (r *reader) count(field string, n uint32, least, most int, hint string) Value[int] {
	if int64(n) < int64(least) || int64(n) > int64(most) {
		r.wrong(field, "%d is out of range; it must be %d to %d (%s)", n, least, most, hint)
		return Value[int]{}
	}
	return Value[int]{int(n), r.source}
}

// positive reads a duration that must be longer than nothing.
func (r *reader) positive(field string, d *durationpb.Duration) Value[time.Duration] {
	return r.duration(field, d, 1)
}

func (r *reader) duration(field string, d *durationpb.Duration, least time.Duration) Value[time.Duration] {
	if d == nil {
		return Value[time.Duration]{}
	}
	value := d.AsDuration()
	switch {
	case d.CheckValid() != nil || durationpb.New(value).GetSeconds() != d.GetSeconds():
		r.wrong(field, "%ds and %dns is no valid duration; write one like 250ms", d.GetSeconds(), d.GetNanos())
	case value < 0:
		r.wrong(field, "%v is negative; write a time like 250ms, or leave it out", value)
	case value < least:
		r.wrong(field, "it is 0; write a time like 250ms, or leave it out")
	default:
		return Value[time.Duration]{value, r.source}
	}
	return Value[time.Duration]{}
}

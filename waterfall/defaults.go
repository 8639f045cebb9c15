package waterfall

import "time"

const (
	// DefaultCalls is how many calls a ring keeps by default.
	DefaultCalls = 1000
	// DefaultWidth is the widest line that a drawing may have, in characters.
	DefaultWidth = 100

	// maxSpans is how many spans of one call a ring keeps, those of the calls that its handlers made included.
	maxSpans = 128
	// maxEvents is how many events of one span a ring keeps.
	maxEvents = 32
	// maxCallBytes is how much memory the attributes and events of one call may take before a ring begins to leave some
	// out.
	maxCallBytes = 32 << 10
	// maxValueBytes is where a ring cuts the name of a span and the value of an attribute.
	maxValueBytes = 256
	// keptSpans is for how many spans a ring keeps the memory of a forgotten call for the next one.
	keptSpans = 16
	// minWidth is the narrowest that a drawing can be asked to be, in characters.
	minWidth = 60
	// maxLabelWidth is where a drawing cuts the names of its lines, in characters.
	maxLabelWidth = 44
	// maxStatusWidth is where a drawing cuts a status, in characters; the longest is FAILED_PRECONDITION.
	maxStatusWidth = 19
	// minTimelineWidth is the narrowest timeline of a drawing, in characters.
	minTimelineWidth = 12
	// deadlineReach is how many times the duration of a call its deadline may be away to be drawn to scale.
	deadlineReach = 2
	// failureCalls is how many calls LogOnFailure draws, the newest ones.
	failureCalls = 20
	// shortDuration is the duration below which a drawing gives one decimal of a millisecond.
	shortDuration = 10 * time.Millisecond
)

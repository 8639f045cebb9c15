package waterfall

import "time"

const (
	// DefaultCalls is the default number of calls that a ring keeps.
	DefaultCalls = 1000
	// DefaultWidth is the default width of a drawing, in characters.
	DefaultWidth = 100

	// maxSpans is the maximum number of spans of one call that a ring keeps, including those of the calls below it.
	maxSpans = 128
	// maxEvents is the maximum number of events of one span that a ring keeps.
	maxEvents = 32
	// maxCallBytes is the maximum memory for the attributes and events of one call. A ring drops further ones.
	maxCallBytes = 32 << 10
	// maxValueBytes is the maximum length of the name of a span and of the value of an attribute, in bytes. A ring cuts
	// longer ones.
	maxValueBytes = 256
	// keptSpans is the number of spans for which a ring reuses the memory of a replaced call.
	keptSpans = 16
	// minWidth is the minimum width of a drawing, in characters.
	minWidth = 60
	// maxLabelWidth is the maximum width of the names of lines in a drawing, in characters.
	maxLabelWidth = 44
	// maxStatusWidth is the maximum width of a status in a drawing, in characters. The longest is FAILED_PRECONDITION.
	maxStatusWidth = 19
	// minTimelineWidth is the minimum width of the timeline of a drawing, in characters.
	minTimelineWidth = 12
	// deadlineReach is the multiple of a call's duration up to which its deadline is drawn to scale.
	deadlineReach = 2
	// failureCalls is the number of newest calls that LogOnFailure draws.
	failureCalls = 20
	// shortDuration is the duration below which a drawing shows one decimal of a millisecond.
	shortDuration = 10 * time.Millisecond
)

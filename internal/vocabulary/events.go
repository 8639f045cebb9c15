package vocabulary

// Events of spans.
const (
	EventScheduled   = "retry.scheduled"
	EventHedged      = "retry.hedged"
	EventPushback    = "retry.pushback"
	EventExhausted   = "retry.exhausted"
	EventAborted     = "retry.aborted"
	EventWouldRefuse = "parley.auth.would_refuse"
)

// Attributes of events. AttrReason is also one of a metric.
const (
	AttrNextAttempt  = "next_attempt"
	AttrBackoff      = "backoff_s"
	AttrCause        = "cause"
	AttrSource       = "source"
	AttrEndpoint     = "endpoint"
	AttrAfter        = "after_s"
	AttrMilliseconds = "ms"
	AttrReason       = "reason"
)

// Events returns the events of spans, in the order of the documentation.
func Events() []Event {
	return []Event{
		{
			EventScheduled, SpanCall,
			[]string{AttrNextAttempt, AttrBackoff, AttrCause, AttrSource, AttrEndpoint},
			"There will be another attempt. The source of the wait is `policy`, `pushback`, `retry_info` or `connection`.",
		},
		{
			EventHedged, SpanCall,
			[]string{AttrNextAttempt, AttrAfter, AttrEndpoint},
			"Another attempt starts while one is in flight.",
		},
		{
			EventPushback, SpanCall,
			[]string{AttrMilliseconds},
			"The server sent a pushback: when to retry; negative means never.",
		},
		{
			EventExhausted, SpanCall,
			[]string{AttrReason, AttrEndpoint},
			"Attempts or budget are used up. The reason is the stop reason.",
		},
		{
			EventAborted, SpanCall,
			[]string{AttrReason, AttrEndpoint},
			"There is no further attempt because of another stop reason.",
		},
		{
			EventWouldRefuse, SpanServer,
			[]string{AttrAuthReason, AttrAuthCause, AttrAuthDecided},
			"A policy on trial would refuse the call.",
		},
	}
}

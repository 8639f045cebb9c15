package waterfall

import "time"

// Direction is whether this process made or served a call.
type Direction string

const (
	// Outgoing is a call that this process made.
	Outgoing Direction = "outgoing"
	// Incoming is a call that this process served.
	Incoming Direction = "incoming"
)

// Call is one RPC with all its attempts. A Call is a copy, which the ring does not change afterwards. Its JSON form has
// stable names. Durations are in nanoseconds, and empty fields are omitted.
//
// Every text in it may come from a peer. Texts are not trusted and not escaped, but they are short.
type Call struct {
	// TraceID is the trace of the call, in hexadecimal.
	TraceID string `json:"trace_id"`
	// SpanID is the span of the call, in hexadecimal. It distinguishes the calls of one trace.
	SpanID string `json:"span_id"`
	// Direction is whether this process made or served the call.
	Direction Direction `json:"direction"`
	// Method is the method as "pkg.Service/Method".
	Method string `json:"method"`
	// Start is the time at which the call started.
	Start time.Time `json:"start"`
	// Duration is how long it took, or, while it is open, the time since its start.
	Duration time.Duration `json:"duration_ns"`
	// Open reports whether the call is still running.
	Open bool `json:"open,omitempty"`
	// Status is the status that the caller got, such as "UNAVAILABLE"; "" while the call is open.
	Status string `json:"status,omitempty"`
	// Message is the message of its status. It is "" if the ring does not keep messages (see [WithMessages]) or there is
	// none.
	Message string `json:"message,omitempty"`
	// Outcome is the result of retrying: none, recovered, or the stop reason. [Outcomes] lists all of them.
	Outcome string `json:"outcome,omitempty"`
	// StopReason is the reason why there was no further attempt, as a retry.StopReason.
	StopReason string `json:"stop_reason,omitempty"`
	// Explanation is the reason in words why a failed call was not retried, or "".
	Explanation string `json:"explanation,omitempty"`
	// Deadline is the time between the start of the call and its deadline. It is 0 if the call had no deadline or the
	// deadline is unknown.
	Deadline time.Duration `json:"deadline_ns,omitempty"`
	// Peer is the address of the caller of an incoming call, or "" for an outgoing call.
	Peer string `json:"peer,omitempty"`
	// Number is the number of the caller's attempt that an incoming call was, counted from 1. It is 0 for an outgoing
	// call.
	Number int `json:"number,omitempty"`
	// AttemptCount is the number of attempts, including those that are not in Attempts.
	AttemptCount int `json:"attempt_count"`
	// Attempts are the recorded attempts, by number. A call that was not sampled has none.
	Attempts []Attempt `json:"attempts,omitempty"`
	// Waits are the backoffs between attempts, in order.
	Waits []Wait `json:"waits,omitempty"`
	// Calls are the calls below this one in this process, in order: for an incoming call, the calls that its handler made;
	// for an outgoing call without attempts, the call that served it.
	Calls []Call `json:"calls,omitempty"`
	// Events are the other things that happened, in order.
	Events []Event `json:"events,omitempty"`
	// Attributes are further attributes of the call. Values whose keys may have secrets are hidden.
	Attributes []Attribute `json:"attributes,omitempty"`
	// LeftOut is the number of attributes and events that were dropped because there was no room.
	LeftOut int `json:"left_out,omitempty"`
}

// Attempt is one attempt of a call.
type Attempt struct {
	// SpanID is the span of the attempt, in hexadecimal.
	SpanID string `json:"span_id"`
	// Number is the number of the attempt, counted from 1.
	Number int `json:"number"`
	// Hedge reports whether the attempt was sent while another one was in flight.
	Hedge bool `json:"hedge,omitempty"`
	// Endpoint is the address that the attempt reached, such as "10.0.0.7:8443". It is "" if the attempt reached none, or
	// the address is not known yet.
	Endpoint string `json:"endpoint,omitempty"`
	// Status is the status of the attempt; "" while it is open.
	Status string `json:"status,omitempty"`
	// Message is the message of its status, see [Call.Message].
	Message string `json:"message,omitempty"`
	// Offset is the time from the start of the call to the start of the attempt.
	Offset time.Duration `json:"offset_ns"`
	// Duration is how long it took, or, while it is open, the time since its start.
	Duration time.Duration `json:"duration_ns"`
	// Open reports whether the attempt is still running.
	Open bool `json:"open,omitempty"`
	// Calls are the calls below the attempt in this process, which is usually the incoming call that served it.
	Calls []Call `json:"calls,omitempty"`
	// Attributes are further attributes of the attempt.
	Attributes []Attribute `json:"attributes,omitempty"`
}

// Wait is a backoff between two attempts.
type Wait struct {
	// Next is the number of the attempt that followed, or would have followed.
	Next int `json:"next_attempt"`
	// Offset is the time from the start of the call to the start of the wait.
	Offset time.Duration `json:"offset_ns"`
	// Duration is how long it took, or, while it is open, the time since its start.
	Duration time.Duration `json:"duration_ns"`
	// Backoff is the planned duration.
	Backoff time.Duration `json:"backoff_ns"`
	// Open reports whether the wait has not ended yet.
	Open bool `json:"open,omitempty"`
	// Cause is the status because of which there is another attempt.
	Cause string `json:"cause,omitempty"`
	// Source is the source of the wait: "policy" or "pushback".
	Source string `json:"source,omitempty"`
}

// Event is an event of a call.
type Event struct {
	// Name is the name of the event.
	Name string `json:"name"`
	// Offset is the time from the start of the call to the event.
	Offset time.Duration `json:"offset_ns"`
	// Attributes are the attributes of the event.
	Attributes []Attribute `json:"attributes,omitempty"`
}

// Attribute is an attribute of a call, an attempt or an event.
type Attribute struct {
	// Key is the name of the attribute.
	Key string `json:"key"`
	// Value is its value as text.
	Value string `json:"value"`
}

// Failed reports whether the call has ended with a status other than OK.
func (c Call) Failed() bool { return !c.Open && c.Status != statusOK }

// MostAttempts returns the largest number of attempts of the call and of the calls below it in this process.
func (c Call) MostAttempts() int {
	most := c.AttemptCount
	for _, below := range c.Calls {
		most = max(most, below.MostAttempts())
	}
	for _, a := range c.Attempts {
		for _, below := range a.Calls {
			most = max(most, below.MostAttempts())
		}
	}
	return most
}

// Retried reports whether the call, or a call below it in this process, had more than one attempt.
func (c Call) Retried() bool { return c.MostAttempts() > 1 }

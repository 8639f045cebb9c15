package waterfall

import "time"

// Direction says whether a call left this process or came to it.
type Direction string

const (
	// Outgoing is a call that this process made.
	Outgoing Direction = "outgoing"
	// Incoming is a call that this process served.
	Incoming Direction = "incoming"
)

// Call is one RPC: what the application asked for, however many attempts it took. A Call is a copy; the ring never
// changes it afterwards. Its JSON form has stable names; durations are in nanoseconds, and what is empty is left out.
//
// Every text in it may come from a peer and is neither trusted nor escaped, but it is short.
type Call struct {
	// TraceID is the trace of the call, in hexadecimal.
	TraceID string `json:"trace_id"`
	// SpanID is the span of the call, in hexadecimal. It distinguishes the calls of one trace.
	SpanID string `json:"span_id"`
	// Direction says whether this process made the call or served it.
	Direction Direction `json:"direction"`
	// Method is the method as "pkg.Service/Method".
	Method string `json:"method"`
	// Start is when the call began.
	Start time.Time `json:"start"`
	// Duration is how long it took, or how long it has been going on when it is open.
	Duration time.Duration `json:"duration_ns"`
	// Open reports whether the call is still going on.
	Open bool `json:"open,omitempty"`
	// Status is the status that the caller got, such as "UNAVAILABLE"; "" while the call is open.
	Status string `json:"status,omitempty"`
	// Message is the message of its status; "" where the ring does not keep messages, see [WithMessages], or none is
	// known.
	Message string `json:"message,omitempty"`
	// Outcome is what retrying came to: none, recovered, or the stop reason. [Outcomes] lists them.
	Outcome string `json:"outcome,omitempty"`
	// StopReason is why there was no further attempt, as retry names it.
	StopReason string `json:"stop_reason,omitempty"`
	// Explanation says in words why a failed call was not tried again; "" when there is nothing to explain.
	Explanation string `json:"explanation,omitempty"`
	// Deadline is how long the call was allowed to take; 0 when it had no deadline or none is known.
	Deadline time.Duration `json:"deadline_ns,omitempty"`
	// Peer is the address that an incoming call came from; "" for an outgoing one.
	Peer string `json:"peer,omitempty"`
	// Number is which attempt of its caller an incoming call was, counted from 1; 0 for an outgoing one.
	Number int `json:"number,omitempty"`
	// AttemptCount is how many attempts were made, the ones that are not in Attempts included.
	AttemptCount int `json:"attempt_count"`
	// Attempts are the attempts that were recorded, by number. A call that was not sampled for attempts has none.
	Attempts []Attempt `json:"attempts,omitempty"`
	// Waits are the backoffs between attempts, in order.
	Waits []Wait `json:"waits,omitempty"`
	// Calls are the calls that this one led to in this process, in order: for an incoming call those that its handler
	// made; for an outgoing call without attempts the one that served it.
	Calls []Call `json:"calls,omitempty"`
	// Events are the other things that happened, in order.
	Events []Event `json:"events,omitempty"`
	// Attributes are what else is known of the call. Values under keys that may hold secrets are hidden.
	Attributes []Attribute `json:"attributes,omitempty"`
	// LeftOut is how many attributes and events there was no room for.
	LeftOut int `json:"left_out,omitempty"`
}

// Attempt is one attempt of a call.
type Attempt struct {
	// SpanID is the span of the attempt, in hexadecimal.
	SpanID string `json:"span_id"`
	// Number is the number of the attempt, counted from 1.
	Number int `json:"number"`
	// Hedge reports whether the attempt was sent while another one was still out.
	Hedge bool `json:"hedge,omitempty"`
	// Endpoint is the address that the attempt reached, "10.0.0.7:8443"; "" when it reached none or that is not known yet.
	Endpoint string `json:"endpoint,omitempty"`
	// Status is the status of the attempt; "" while it is open.
	Status string `json:"status,omitempty"`
	// Message is the message of its status, see [Call.Message].
	Message string `json:"message,omitempty"`
	// Offset is when the attempt began, after the start of its call.
	Offset time.Duration `json:"offset_ns"`
	// Duration is how long it took, or how long it has been going on when it is open.
	Duration time.Duration `json:"duration_ns"`
	// Open reports whether the attempt is still going on.
	Open bool `json:"open,omitempty"`
	// Calls are the calls below the attempt in this process: mostly the one incoming call that served it.
	Calls []Call `json:"calls,omitempty"`
	// Attributes are what else is known of the attempt.
	Attributes []Attribute `json:"attributes,omitempty"`
}

// Wait is a backoff between two attempts.
type Wait struct {
	// Next is the number of the attempt that it led to, or would have.
	Next int `json:"next_attempt"`
	// Offset is when the wait began, after the start of its call.
	Offset time.Duration `json:"offset_ns"`
	// Duration is how long it really took, until now when it goes on.
	Duration time.Duration `json:"duration_ns"`
	// Backoff is how long it was meant to take.
	Backoff time.Duration `json:"backoff_ns"`
	// Open reports whether the wait goes on.
	Open bool `json:"open,omitempty"`
	// Cause is the status that made another attempt worth while.
	Cause string `json:"cause,omitempty"`
	// Source is what set the wait: "policy" or "pushback".
	Source string `json:"source,omitempty"`
}

// Event is something that happened during a call.
type Event struct {
	// Name is the name of the event.
	Name string `json:"name"`
	// Offset is when it happened, after the start of its call.
	Offset time.Duration `json:"offset_ns"`
	// Attributes are what is known of it.
	Attributes []Attribute `json:"attributes,omitempty"`
}

// Attribute is a fact about a call, an attempt or an event.
type Attribute struct {
	// Key is the name of the fact.
	Key string `json:"key"`
	// Value is its value as text.
	Value string `json:"value"`
}

// Failed reports whether the call has ended with a status other than OK.
func (c Call) Failed() bool { return !c.Open && c.Status != statusOK }

// MostAttempts is how many attempts the call took, or a call that it led to in this process if that took more.
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

// Retried reports whether the call, or one that it led to in this process, took more than one attempt.
func (c Call) Retried() bool { return c.MostAttempts() > 1 }

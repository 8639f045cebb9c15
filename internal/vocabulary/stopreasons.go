package vocabulary

import "slices"

// StopReason is one reason why a call has no further attempt.
type StopReason struct {
	// Name is its name, which is the same everywhere.
	Name string
	// Label is its name in two or three words.
	Label string
	// Meaning describes why there was no further attempt. It is "" for a call that succeeded.
	Meaning string
	// Suppressed reports whether the retrier withheld an attempt that could have helped. [MetricSuppressed] counts such
	// calls.
	Suppressed bool
	// GaveUp reports whether retries by upstream callers would only multiply, so that a service tells its callers not to
	// retry.
	GaveUp bool
}

// The names of stop reasons, in the order of their checks.
const (
	StopOK                = "ok"
	StopCanceled          = "canceled"
	StopDeadline          = "deadline"
	StopClosing           = "closing"
	StopAttemptsExhausted = "attempts_exhausted"
	StopNotRetryable      = "not_retryable"
	StopNotIdempotent     = "not_idempotent"
	StopPushback          = "pushback"
	StopSwitchedOff       = "switched_off"
	StopUpstreamRetrying  = "upstream_is_retrying"
	StopCircuitOpen       = "circuit_open"
	StopBudget            = "budget"
	StopCommitted         = "committed"
	StopBufferOverflow    = "buffer_overflow"
)

// StopReasons returns all stop reasons, in the order of their checks.
func StopReasons() []StopReason {
	const suppressed, gaveUp = true, true
	return []StopReason{
		{StopOK, "Succeeded", "", !suppressed, !gaveUp},
		{StopCanceled, "Canceled", "the caller gave up", !suppressed, !gaveUp},
		{StopDeadline, "No time left", "the deadline left no room for another attempt", suppressed, gaveUp},
		{StopClosing, "Client closed", "the client was closing", !suppressed, !gaveUp},
		{StopAttemptsExhausted, "Attempts used up", "every allowed attempt was made", !suppressed, gaveUp},
		{StopNotRetryable, "Not retryable", "this status is not worth another attempt", !suppressed, !gaveUp},
		{
			StopNotIdempotent, "Not idempotent", "the server may have run it, and the method is not idempotent", suppressed,
			!gaveUp,
		},
		{StopPushback, "Pushed back", "the server asked not to be tried again", suppressed, gaveUp},
		{StopSwitchedOff, "Switched off", "retries are switched off", suppressed, !gaveUp},
		{StopUpstreamRetrying, "Caller retries", "the caller of this service is retrying already", suppressed, gaveUp},
		{StopCircuitOpen, "Circuit open", "the circuit breaker is open", suppressed, gaveUp},
		{StopBudget, "Budget empty", "the retry budget is empty", suppressed, gaveUp},
		{StopCommitted, "Stream had begun", "the caller had received part of the reply", !suppressed, !gaveUp},
		{StopBufferOverflow, "Too large", "the request was too large to be kept for another attempt", !suppressed, !gaveUp},
	}
}

// StopReasonOf returns the row of a stop reason, or false for an unknown name.
func StopReasonOf(name string) (StopReason, bool) {
	all := StopReasons()
	if i := slices.IndexFunc(all, func(r StopReason) bool { return r.Name == name }); i >= 0 {
		return all[i], true
	}
	return StopReason{}, false
}

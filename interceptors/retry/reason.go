package retry

// StopReason says why a call had no further attempt. Each call has exactly one.
type StopReason string

// The closed set of stop reasons. Later versions may add to it.
const (
	// The last attempt succeeded.
	StopOK StopReason = "ok"
	// The status of the last attempt is not one that may be retried.
	StopNotRetryable StopReason = "not_retryable"
	// The method must not be repeated, and it is not proven that the last attempt did nothing.
	StopNotIdempotent StopReason = "not_idempotent"
	// The call has had all of its attempts, or retrying it is left to gRPC.
	StopAttemptsExhausted StopReason = "attempts_exhausted"
	// The call's deadline has passed, or would pass before another attempt could succeed.
	StopDeadline StopReason = "deadline"
	// Too few calls succeeded of late to pay for another attempt.
	StopBudget StopReason = "budget"
	// The server forbade another attempt.
	StopPushback StopReason = "pushback"
	// A caller above is itself trying again, and attempts would multiply.
	StopUpstreamRetrying StopReason = "upstream_is_retrying"
	// Too many attempts of the method failed of late, see [Breaker].
	StopCircuitOpen StopReason = "circuit_open"
	// Retries are switched off, see [Switch].
	StopSwitchedOff StopReason = "switched_off"
	// The caller has had a message or the header of the stream, or its context, so that it cannot begin anew.
	StopCommitted StopReason = "committed"
	// The stream has sent more than may be kept to be sent again, see [WithReplayLimit].
	StopBufferOverflow StopReason = "buffer_overflow"
	// The caller gave the call up.
	StopCanceled StopReason = "canceled"
	// The Retrier or the connection is closed.
	StopClosing StopReason = "closing"
)

// outcome is the reason in the words of the span attribute parley.retry.outcome, which are fewer.
func (r StopReason) outcome(attempts int) string {
	switch r {
	case StopOK:
		if attempts > 1 {
			return "recovered"
		}
		return "none"
	case StopAttemptsExhausted:
		return "max_attempts"
	case StopNotIdempotent:
		return "not_retryable"
	case StopCanceled:
		return "cancelled"
	case StopNotRetryable, StopDeadline, StopBudget, StopPushback, StopUpstreamRetrying, StopCircuitOpen, StopSwitchedOff,
		StopCommitted, StopBufferOverflow, StopClosing:
		return string(r)
	default:
		return string(r)
	}
}

// event is the span event that tells the end of a failed call, and the reason in its words.
func (r StopReason) event() (name, reason string) {
	switch r {
	case StopAttemptsExhausted:
		return "retry.exhausted", "max_attempts"
	case StopBudget:
		return "retry.exhausted", "budget"
	case StopPushback:
		return "retry.aborted", "pushback_negative"
	case StopCanceled:
		return "retry.aborted", "cancelled"
	case StopOK, StopNotRetryable, StopNotIdempotent, StopDeadline, StopUpstreamRetrying, StopCircuitOpen, StopSwitchedOff,
		StopCommitted, StopBufferOverflow, StopClosing:
		return "retry.aborted", string(r)
	default:
		return "retry.aborted", string(r)
	}
}

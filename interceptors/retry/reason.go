package retry

import "github.com/parley-rpc/parley/internal/vocabulary"

// StopReason is the reason why a call had no further attempt. Each call has exactly one.
type StopReason string

// The closed set of stop reasons. Later versions may add to it. The table of package vocabulary holds what spans,
// metrics, the page and the documentation make of each.
const (
	// The last attempt succeeded.
	StopOK StopReason = vocabulary.StopOK
	// The caller gave the call up.
	StopCanceled StopReason = vocabulary.StopCanceled
	// The call's deadline has passed, or would pass before another attempt could succeed.
	StopDeadline StopReason = vocabulary.StopDeadline
	// The Retrier or the connection is closed.
	StopClosing StopReason = vocabulary.StopClosing
	// The call has had all of its attempts, or retrying it is left to gRPC.
	StopAttemptsExhausted StopReason = vocabulary.StopAttemptsExhausted
	// The status of the last attempt is not one that may be retried.
	StopNotRetryable StopReason = vocabulary.StopNotRetryable
	// The method must not be repeated, and it is not proven that the last attempt did nothing.
	StopNotIdempotent StopReason = vocabulary.StopNotIdempotent
	// The server forbade another attempt.
	StopPushback StopReason = vocabulary.StopPushback
	// Retries are switched off, see [Switch].
	StopSwitchedOff StopReason = vocabulary.StopSwitchedOff
	// A caller above is itself trying again, and attempts would multiply.
	StopUpstreamRetrying StopReason = vocabulary.StopUpstreamRetrying
	// Too many attempts of the method failed of late, see [Breaker].
	StopCircuitOpen StopReason = vocabulary.StopCircuitOpen
	// Too few calls succeeded of late to pay for another attempt.
	StopBudget StopReason = vocabulary.StopBudget
	// The caller has had a message or the header of the stream, or its context, so that it cannot begin anew.
	StopCommitted StopReason = vocabulary.StopCommitted
	// The stream has sent more than may be kept to be sent again, see [WithReplayLimit].
	StopBufferOverflow StopReason = vocabulary.StopBufferOverflow
)

// outcome is the value of the span attribute parley.retry.outcome.
func (r StopReason) outcome(attempts int) string {
	switch {
	case r != StopOK:
		return string(r)
	case attempts > 1:
		return vocabulary.OutcomeRecovered
	default:
		return vocabulary.OutcomeNone
	}
}

// event is the span event of the end of a failed call.
func (r StopReason) event() string {
	if r == StopAttemptsExhausted || r == StopBudget {
		return vocabulary.EventExhausted
	}
	return vocabulary.EventAborted
}

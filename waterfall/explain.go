package waterfall

// explain says a stop reason in words. A reason that it does not know it gives back, so that nothing is hidden.
func explain(reason string, attempts int) string {
	switch reason {
	case "", "ok":
		return ""
	case "not_retryable":
		return "this status is not worth another attempt"
	case "not_idempotent":
		return "the server may have run it, and the method is not idempotent"
	case "attempts_exhausted", "max_attempts":
		return "every allowed attempt was made"
	case "deadline":
		if attempts == 0 {
			return "the deadline had passed before the first attempt"
		}
		return "the deadline left no room for another attempt"
	case "budget":
		return "the retry budget is empty"
	case "pushback", "pushback_negative":
		return "the server asked not to be tried again"
	case "upstream_is_retrying":
		return "the caller of this service is retrying already"
	case "circuit_open":
		return "the circuit breaker is open"
	case "committed":
		return "part of the reply had been delivered"
	case "buffer_overflow":
		return "the request was too large to be kept for another attempt"
	case "canceled", "cancelled":
		return "the caller gave up"
	case "closing":
		return "the client was closing"
	default:
		return reason
	}
}

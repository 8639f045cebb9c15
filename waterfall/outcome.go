package waterfall

import (
	"slices"

	"github.com/parley-rpc/parley/internal/vocabulary"
)

// Outcome is what retrying came to, one of the values of [Call.Outcome].
type Outcome struct {
	// Name is the value: "recovered", or a stop reason as package retry names it.
	Name string
	// Label names it in two or three words.
	Label string
	// Meaning says why there was no further attempt; "" for a call that succeeded.
	Meaning string
}

const (
	stopOK       = "ok"
	stopDeadline = "deadline"
)

// Outcomes returns every outcome that a call of package retry can have.
func Outcomes() []Outcome {
	return []Outcome{
		{vocabulary.OutcomeNone, "First attempt", ""},
		{vocabulary.OutcomeRecovered, "Recovered", ""},
		{"not_retryable", "Not retryable", "this status is not worth another attempt"},
		{"not_idempotent", "Not idempotent", "the server may have run it, and the method is not idempotent"},
		{"attempts_exhausted", "Attempts used up", "every allowed attempt was made"},
		{stopDeadline, "No time left", "the deadline left no room for another attempt"},
		{"budget", "Budget empty", "the retry budget is empty"},
		{"pushback", "Pushed back", "the server asked not to be tried again"},
		{"upstream_is_retrying", "Caller retries", "the caller of this service is retrying already"},
		{"circuit_open", "Circuit open", "the circuit breaker is open"},
		{"switched_off", "Switched off", "retries are switched off"},
		{"committed", "Stream had begun", "the caller had received part of the reply"},
		{"buffer_overflow", "Too large", "the request was too large to be kept for another attempt"},
		{"canceled", "Canceled", "the caller gave up"},
		{"closing", "Client closed", "the client was closing"},
	}
}

// explain says a stop reason in words. An unknown reason explains itself, so that nothing is hidden.
func explain(reason string, attempts int) string {
	if reason == "" || reason == stopOK {
		return ""
	}
	if reason == stopDeadline && attempts == 0 {
		return "the deadline had passed before the first attempt"
	}
	outcomes := Outcomes()
	if i := slices.IndexFunc(outcomes, func(o Outcome) bool { return o.Name == reason }); i >= 0 &&
		outcomes[i].Meaning != "" {
		return outcomes[i].Meaning
	}
	return reason
}

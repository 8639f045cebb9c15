package waterfall

import (
	"github.com/parley-rpc/parley/internal/vocabulary"
)

// Outcome is a result of retrying, one of the values of [Call.Outcome].
type Outcome struct {
	// Name is the value: "recovered", or a stop reason as package retry names it.
	Name string
	// Label is its name in two or three words.
	Label string
	// Meaning is the reason why there was no further attempt, or "" for a call that succeeded.
	Meaning string
}

// Outcomes returns every outcome that a call of package retry can have.
func Outcomes() []Outcome {
	outcomes := []Outcome{
		{vocabulary.OutcomeNone, "First attempt", ""},
		{vocabulary.OutcomeRecovered, "Recovered", ""},
	}
	for _, reason := range vocabulary.StopReasons() {
		if reason.Name != vocabulary.StopOK {
			outcomes = append(outcomes, Outcome{reason.Name, reason.Label, reason.Meaning})
		}
	}
	return outcomes
}

// explain returns a stop reason in words. It returns an unknown reason unchanged.
func explain(reason string, attempts int) string {
	if reason == vocabulary.StopDeadline && attempts == 0 {
		return "the deadline had passed before the first attempt"
	}
	if known, ok := vocabulary.StopReasonOf(reason); ok {
		return known.Meaning
	}
	return reason
}

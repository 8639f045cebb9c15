package main

import "testing"

// With -serve the example runs for as long as one looks at it, so its script must not empty the retry budget: calls
// that recover in the first minute would fail in the second.
func TestTheScriptStaysWithinTheRetryBudget(t *testing.T) {
	retries, recovered, failed := int32(0), 0, 0
	steps := script()
	for _, s := range steps {
		switch {
		case s.failing > 0 && s.charge:
			failed++
		case s.failing > 0:
			retries += s.failing
			recovered++
		}
	}
	if int(retries)*10 > len(steps)-failed {
		t.Errorf("%d retries for %d successes; the budget pays for a tenth", retries, len(steps)-failed)
	}
	if recovered == 0 || failed == 0 || failed*20 > len(steps) {
		t.Errorf(
			"%d calls recover and %d of %d fail; some of both should be on the page, and few failures", recovered, failed,
			len(steps),
		)
	}
}

package attempt_test

import (
	"slices"
	"testing"

	"github.com/parley-rpc/parley/attempt"
)

func TestChoice(t *testing.T) {
	_, a := attempt.NewContext(t.Context(), 1, false, nil)
	if got := a.Choice(); got != (attempt.Choice{}) {
		t.Errorf("before a choice: %+v", got)
	}
	var first, second []attempt.Choice
	a.OnChoice(func(c attempt.Choice) { first = append(first, c) })
	a.OnChoice(func(c attempt.Choice) { second = append(second, c) })
	one, two := attempt.Choice{Endpoint: "10.0.0.1:443"}, attempt.Choice{Endpoint: "10.0.0.2:443", Alone: true}
	a.Choose(&one)
	a.Choose(&two) // gRPC sends an attempt again that never left
	if got := a.Choice(); got != two {
		t.Errorf("the choice is %+v, want the last one", got)
	}
	for _, heard := range [][]attempt.Choice{first, second} {
		if !slices.Equal(heard, []attempt.Choice{one, two}) {
			t.Errorf("heard of %+v, want both", heard)
		}
	}
}

// An attempt for which the policy knew no endpoint says so, until it is sent somewhere after all.
func TestNoEndpoints(t *testing.T) {
	_, a := attempt.NewContext(t.Context(), 1, false, nil)
	before := a.Nowhere()
	a.NoEndpoints()
	after := a.Nowhere()
	a.Choose(&attempt.Choice{Endpoint: "10.0.0.1:443"})
	if before || !after || a.Nowhere() {
		t.Errorf("nowhere: %v, %v, and %v; want it only before the choice", before, after, a.Nowhere())
	}
}

// Calls that are not retried have no attempt, and what writes to one need not ask.
func TestNoAttempt(t *testing.T) {
	var none *attempt.Attempt
	none.Choose(&attempt.Choice{Endpoint: "x"})
	none.OnChoice(func(attempt.Choice) { t.Error("a choice of no attempt") })
	none.NoEndpoints()
	none.Renew()
	if none.Choice() != (attempt.Choice{}) || none.Nowhere() ||
		none.Renewable() || none.Renewed() || none.FollowsRenewal() {
		t.Error("no attempt knows something")
	}
}

package attempt_test

import (
	"testing"

	"github.com/parley-rpc/parley/attempt"
)

func TestRenewal(t *testing.T) {
	_, a := attempt.NewContext(t.Context(), 1, false, nil)
	if a.Renewable() || a.Renewed() || a.FollowsRenewal() {
		t.Error("an attempt is renewable, or renewed, or follows a renewal, and nothing said so")
	}
	a.SetRenewable(true)
	if !a.Renewable() {
		t.Error("the maker of the attempts said that it is renewable")
	}
	a.Renew()
	if !a.Renewed() {
		t.Error("Renew was forgotten")
	}
	_, b := attempt.NewContext(t.Context(), 2, false, nil)
	b.FollowRenewal()
	if !b.FollowsRenewal() {
		t.Error("FollowRenewal was forgotten")
	}
}

package grpcbalancer_test

import (
	"testing"
	"testing/synctest"

	_ "google.golang.org/grpc/balancer/leastrequest"
)

// A policy that counts the calls of each endpoint counts a rejected pick as an ended call.
func TestLeastRequestWorksBelow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc, r := serve(t).channel(t, configOf(t, "least_request_experimental"))
		r.UpdateState(endpoints("one", "two", "three"))
		spread(t, cc)
		went := map[string]int{}
		for range 100 {
			choice, err := send(t, cc, 2, "one")
			if err != nil {
				t.Fatal(err)
			}
			went[choice.Endpoint]++
		}
		if went["one"] > 10 || went["two"] < 20 || went["three"] < 20 {
			t.Errorf("second attempts went to %v; want hardly any to one, which was tried", went)
		}
	})
}

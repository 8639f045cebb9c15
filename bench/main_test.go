package main

import "testing"

// A short run shows that every stack works; its figures mean nothing.
func TestEveryStackAnswers(t *testing.T) {
	if err := run(t.Context(), "", 50, 4, 1); err != nil {
		t.Fatal(err)
	}
}

// Allocations are exact but for a few tenths on any machine, so that a test can hold what only a run on a quiet machine
// can show of the time.
func TestAllocationsOfACall(t *testing.T) {
	// Above plain grpc-go with TLS, where 21.5 were measured. What the process does beside the calls adds some tenths.
	const most = 23
	stacks, err := openStacks(t.Context(), "^plain grpc-go with TLS$|^Parley, everything on, nothing sampled$")
	defer closeStacks(stacks)
	if err != nil {
		t.Fatal(err)
	}
	if len(stacks) != 2 {
		t.Fatalf("%d stacks", len(stacks))
	}
	var costs [2][]cost
	for n := range 8 {
		taken, err := round(t.Context(), stacks, 2000, 4)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 { // warms up
			continue
		}
		for i, c := range taken {
			costs[i] = append(costs[i], c)
		}
	}
	more := median(differences(costs[1], costs[0], func(c cost) float64 { return c.allocs }))
	t.Logf("%+.1f allocations", more)
	if more > most {
		t.Errorf("a call has %.1f allocations more than one of plain grpc-go, and at most %d are allowed", more, most)
	}
}

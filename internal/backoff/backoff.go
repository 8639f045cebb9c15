// Package backoff computes how long to wait between tries: a bound that doubles, and a wait drawn below it.
//
// The bound is capped before the wait is drawn, so that clients stay spread out once they have reached the cap. A cap
// after the draw would make most of them wait for exactly the cap, and come back together.
package backoff

import (
	"math"
	"time"
)

// Bound returns the upper bound of wait n, counted from 1: initial, doubled for each wait before, and never more than
// limit. It does not overflow, whatever n is. A negative initial or limit counts as 0.
func Bound(initial, limit time.Duration, n int) time.Duration {
	initial, limit = max(initial, 0), max(limit, 0)
	bound := math.Ldexp(float64(initial), min(max(n-1, 0), 63)) // 63 doublings of 1ns exceed every limit
	if bound < float64(limit) {
		return time.Duration(bound)
	}
	return limit
}

// Full draws a wait between 0 and bound, bound excluded ("full jitter" in the words of AWS). Random returns a number in
// [0, 1), as rand.Float64 does.
func Full(bound time.Duration, random func() float64) time.Duration {
	return time.Duration(random() * float64(max(bound, 0)))
}

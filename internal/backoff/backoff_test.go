package backoff_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/parley-rpc/parley/internal/backoff"
)

func TestBound(t *testing.T) {
	const never = time.Duration(math.MaxInt64)
	for _, tt := range []struct {
		initial, limit time.Duration
		n              int
		want           time.Duration
	}{
		{50 * time.Millisecond, time.Second, 1, 50 * time.Millisecond},
		{50 * time.Millisecond, time.Second, 2, 100 * time.Millisecond},
		{50 * time.Millisecond, time.Second, 5, 800 * time.Millisecond},
		{50 * time.Millisecond, time.Second, 6, time.Second},
		{50 * time.Millisecond, time.Second, 64, time.Second},
		{50 * time.Millisecond, time.Second, math.MaxInt, time.Second},
		{50 * time.Millisecond, never, 1 << 20, never},
		{2 * time.Second, time.Second, 1, time.Second},
		{time.Nanosecond, never, 63, 1 << 62},
		{time.Nanosecond, never, 64, never},
		{50 * time.Millisecond, time.Second, 0, 50 * time.Millisecond},
		{0, time.Second, 9, 0},
		{-time.Second, time.Second, 1, 0},
		{time.Second, -time.Second, 1, 0},
	} {
		if got := backoff.Bound(tt.initial, tt.limit, tt.n); got != tt.want {
			t.Errorf("Bound(%v, %v, %d) = %v, want %v", tt.initial, tt.limit, tt.n, got, tt.want)
		}
	}
}

// Full jitter at the cap: the draws of many goroutines are uniform below it and do not bunch at it.
func TestScenario32FullJitterAtTheCap(t *testing.T) {
	const (
		goroutines = 100
		draws      = 100
		limit      = 400 * time.Millisecond
		buckets    = 20
		// Chi-square, 19 degrees of freedom: one run in a million is above.
		critical = 62.0
	)
	waits := make(chan time.Duration, goroutines*draws)
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for range draws {
				waits <- backoff.Full(backoff.Bound(100*time.Millisecond, limit, 8), rand.Float64)
			}
		})
	}
	all.Wait()
	close(waits)
	var sum time.Duration
	var atCap int
	var counts [buckets]int
	for wait := range waits {
		if wait < 0 || wait > limit {
			t.Fatalf("drew %v, want it between 0 and %v", wait, limit)
		}
		if wait == limit {
			atCap++
			continue
		}
		sum += wait
		counts[wait*buckets/limit]++
	}
	if mean := sum / (goroutines * draws); mean < 190*time.Millisecond || mean > 210*time.Millisecond {
		t.Errorf("the mean wait is %v, want 200ms +- 10ms", mean)
	}
	if atCap > goroutines*draws/100 {
		t.Errorf("%d of %d waits are the cap itself, want less than 1%%", atCap, goroutines*draws)
	}
	var chi2 float64
	for _, n := range counts {
		d := float64(n) - float64(goroutines*draws)/buckets
		chi2 += d * d / (float64(goroutines*draws) / buckets)
	}
	if chi2 > critical {
		t.Errorf("chi-square over %d buckets is %.1f, want at most %.1f", buckets, chi2, critical)
	}
}

func TestFullAtTheEdges(t *testing.T) {
	for _, tt := range []struct {
		bound  time.Duration
		random float64
		want   time.Duration
	}{
		{time.Second, 0, 0},
		{time.Second, 0.5, 500 * time.Millisecond},
		{0, 0.5, 0},
		{-time.Second, 0.5, 0},
	} {
		if got := backoff.Full(tt.bound, func() float64 { return tt.random }); got != tt.want {
			t.Errorf("Full(%v, %v) = %v, want %v", tt.bound, tt.random, got, tt.want)
		}
	}
}

func FuzzBound(f *testing.F) {
	f.Add(int64(50*time.Millisecond), int64(time.Second), 3)
	f.Add(int64(math.MaxInt64), int64(math.MaxInt64), math.MaxInt)
	f.Add(int64(math.MinInt64), int64(1), math.MinInt)
	f.Fuzz(func(t *testing.T, initial, limit int64, n int) {
		got := backoff.Bound(time.Duration(initial), time.Duration(limit), n)
		if got < 0 || got > time.Duration(max(limit, 0)) {
			t.Fatalf("Bound = %v, want it between 0 and the limit %v", got, time.Duration(limit))
		}
		if n < math.MaxInt && backoff.Bound(time.Duration(initial), time.Duration(limit), n+1) < got {
			t.Fatalf("bound %d is below bound %d", n+1, n)
		}
	})
}

func ExampleBound() {
	for n := range 5 {
		fmt.Println(backoff.Bound(50*time.Millisecond, 400*time.Millisecond, n+1))
	}
	// Output:
	// 50ms
	// 100ms
	// 200ms
	// 400ms
	// 400ms
}

package discovery_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/discovery"
)

// The table shows which states subscribers receive, and when, after each list and error of the engine.
func TestStates(t *testing.T) {
	a, b, c := one("a"), one("b"), one("c")
	draining := func(in discovery.Instance) discovery.Instance {
		in.Draining = true
		return in
	}
	for _, tt := range []struct {
		name string
		act  func(s *stage)
		want []string
	}{
		{
			name: "the first list is shown at once",
			act:  func(s *stage) { s.list(a, b) },
			want: []string{"0s [a b]"},
		},
		{
			name: "lists are sorted by ID",
			act:  func(s *stage) { s.list(c, a, b) },
			want: []string{"0s [a b c]"},
		},
		{
			name: "a list in another order is not a change",
			act: func(s *stage) {
				s.list(a, b)
				s.list(b, a)
			},
			want: []string{"0s [a b]"},
		},
		{
			name: "instances without an address, without an ID and of other services are dropped",
			act: func(s *stage) {
				s.list(a,
					discovery.Instance{ID: "x", Service: "payments"},
					discovery.Instance{ID: "x", Service: "payments", Addresses: []string{""}},
					discovery.Instance{Service: "payments", Addresses: []string{"x:1"}},
					discovery.Instance{ID: "x", Service: "payments-admin", Addresses: []string{"x:1"}})
			},
			want: []string{"0s [a]"},
		},
		{
			name: "an ID that is listed twice counts once",
			act:  func(s *stage) { s.list(a, b, a) },
			want: []string{"0s [a b]"},
		},
		{
			name: "draining instances are left out",
			act:  func(s *stage) { s.list(draining(a), b) },
			want: []string{"0s [b]"},
		},
		{
			name: "unless nothing else is left",
			act:  func(s *stage) { s.list(draining(a), draining(b)) },
			want: []string{"0s [a b]"},
		},
		{
			name: "the end of a draining instance is not a change",
			act: func(s *stage) {
				s.list(draining(a), b)
				s.list(b)
			},
			want: []string{"0s [b]"},
		},
		{
			name: "an empty list is an answer",
			act:  func(s *stage) { s.list() },
			want: []string{"0s []"},
		},
		{
			name: "the first instance is shown at once",
			act: func(s *stage) {
				s.list()
				time.Sleep(time.Second)
				s.list(a)
			},
			want: []string{"0s []", "1s [a]"},
		},
		{
			name: "changes are shown together after 100ms",
			act: func(s *stage) {
				s.list(a)
				time.Sleep(time.Second)
				s.list(a, b)
				time.Sleep(99 * time.Millisecond)
				s.list(a, b, c)
			},
			want: []string{"0s [a]", "1.1s [a b c]"},
		},
		{
			name: "a change that is reverted within the time is not a change",
			act: func(s *stage) {
				s.list(a)
				s.list(a, b)
				time.Sleep(50 * time.Millisecond)
				s.list(a)
			},
			want: []string{"0s [a]"},
		},
		{
			name: "silence becomes an error after 3s",
			act:  func(*stage) { time.Sleep(4 * time.Second) },
			want: []string{"3s [] unknown failing"},
		},
		{
			name: "which an answer ends",
			act: func(s *stage) {
				time.Sleep(4 * time.Second)
				s.list(a)
			},
			want: []string{"3s [] unknown failing", "4s [a]"},
		},
		{
			name: "a failure before the first answer is reported at once",
			act:  func(s *stage) { s.fail() },
			want: []string{"0s [] unknown failing"},
		},
		{
			name: "and silence after it is not the news",
			act: func(s *stage) {
				s.fail()
				time.Sleep(4 * time.Second)
			},
			want: []string{"0s [] unknown failing"},
		},
		{
			name: "a failure after it keeps the list",
			act: func(s *stage) {
				s.list(a, b)
				s.fail()
				time.Sleep(time.Hour)
				s.list(b, a)
			},
			want: []string{"0s [a b]", "0s [a b] failing", "1h0m0s [a b]"},
		},
		{
			name: "an empty list is held for 5 minutes",
			act: func(s *stage) {
				s.list(a)
				time.Sleep(time.Second)
				s.list()
				time.Sleep(time.Hour)
			},
			want: []string{"0s [a]", "1s [a] held", "5m1s []"},
		},
		{
			name: "repeating it changes nothing",
			act: func(s *stage) {
				s.list(a)
				time.Sleep(time.Second)
				for range 10 {
					s.list()
					time.Sleep(time.Minute)
				}
			},
			want: []string{"0s [a]", "1s [a] held", "5m1s []"},
		},
		{
			name: "a list of instances that cannot be called is held too",
			act: func(s *stage) {
				s.list(a)
				time.Sleep(time.Second)
				s.list(discovery.Instance{ID: "a", Service: "payments"})
			},
			want: []string{"0s [a]", "1s [a] held"},
		},
		{
			name: "an instance ends the hold",
			act: func(s *stage) {
				s.list(a)
				time.Sleep(time.Second)
				s.list()
				time.Sleep(time.Minute)
				s.list(b)
				time.Sleep(time.Hour)
			},
			want: []string{"0s [a]", "1s [a] held", "1m1s [a]", "1m1.1s [b]"},
		},
		{
			name: "an empty list takes the place of a change that was not shown yet",
			act: func(s *stage) {
				s.list(a)
				time.Sleep(time.Second)
				s.list(a, b)
				s.list()
				time.Sleep(time.Minute)
			},
			want: []string{"0s [a]", "1s [a] held"},
		},
		{
			name: "an outage does not count towards the hold",
			act: func(s *stage) {
				s.list(a)
				time.Sleep(time.Second)
				s.list()
				time.Sleep(4 * time.Minute)
				s.fail()
				time.Sleep(time.Hour)
				s.list()
				time.Sleep(time.Hour)
			},
			want: []string{"0s [a]", "1s [a] held", "4m1s [a] held failing", "1h4m1s [a] held", "1h5m1s []"},
		},
		{
			name: "the loss of most instances is held for 5 minutes",
			act: func(s *stage) {
				s.list(a, b, c)
				time.Sleep(time.Second)
				s.list(a)
				time.Sleep(time.Hour)
			},
			want: []string{"0s [a b c]", "1s [a b c] held", "5m1s [a]"},
		},
		{
			name: "also when they go one after the other",
			act: func(s *stage) {
				s.list(a, b, c)
				time.Sleep(time.Second)
				s.list(a, b)
				time.Sleep(time.Minute)
				s.list(a)
				time.Sleep(time.Minute)
			},
			want: []string{"0s [a b c]", "1.1s [a b]", "1m1s [a b] held", "1m1.1s [a b c] held"},
		},
		{
			name: "but not when they go slowly",
			act: func(s *stage) {
				s.list(a, b, c)
				time.Sleep(time.Second)
				s.list(a, b)
				time.Sleep(time.Minute + 1)
				s.list(a)
			},
			want: []string{"0s [a b c]", "1.1s [a b]", "1m1.100000001s [a]"},
		},
		{
			name: "the loss of half is believed",
			act: func(s *stage) {
				s.list(a, b)
				time.Sleep(time.Second)
				s.list(a)
			},
			want: []string{"0s [a b]", "1.1s [a]"},
		},
		{
			name: "instances that drained before are not missed",
			act: func(s *stage) {
				s.list(a, b, c)
				time.Sleep(time.Second)
				s.list(a, draining(b), draining(c))
				time.Sleep(time.Second)
				s.list(a)
			},
			want: []string{"0s [a b c]", "1.1s [a]"},
		},
		{
			name: "replaced instances are not held",
			act: func(s *stage) {
				s.list(a, b, c)
				time.Sleep(time.Second)
				s.list(one("d"), one("e"), one("f"))
			},
			want: []string{"0s [a b c]", "1.1s [d e f]"},
		},
		{
			name: "instances that return end the hold",
			act: func(s *stage) {
				s.list(a, b, c)
				time.Sleep(time.Second)
				s.list(a)
				time.Sleep(time.Second)
				s.list(a, c)
			},
			want: []string{"0s [a b c]", "1s [a b c] held", "2s [a b c]", "2.1s [a c]"},
		},
		{
			name: "new ones are called during the hold",
			act: func(s *stage) {
				s.list(a, b, c, one("d"))
				time.Sleep(time.Second)
				s.list(a)
				time.Sleep(time.Second)
				s.list(a, one("e"))
				time.Sleep(time.Second)
			},
			want: []string{"0s [a b c d]", "1s [a b c d] held", "2s [a b c d]", "2.1s [a e]"},
		},
		{
			name: "an engine that comes back with few and then none is held for 5 minutes in all",
			act: func(s *stage) {
				s.list(a, b, c)
				s.fail()
				time.Sleep(time.Hour)
				s.list(a)
				time.Sleep(4 * time.Minute)
				s.list()
				time.Sleep(time.Hour)
			},
			want: []string{"0s [a b c]", "0s [a b c] failing", "1h0m0s [a b c] held", "1h5m0s []"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				told, cancel := subscribe(open(t, s, discovery.WithRandom(func() float64 { return 0 })), "payments")
				defer cancel()
				synctest.Wait()
				tt.act(s)
				time.Sleep(2 * time.Second)
				synctest.Wait()
				told.want(t, tt.want...)
			})
		})
	}
}

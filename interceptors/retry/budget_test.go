package retry_test

import (
	"context"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"github.com/parley-rpc/parley/interceptors/retry"
)

func TestScenario25And27OutageAndRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		code := codes.Unavailable
		l := newLab(t, func(ctx context.Context, n int) error { return always(code)(ctx, n) })
		r := newRetrier(t, readMethod, terms{attempts: 3}, retry.WithBudget(retry.Budget{Ratio: 0.1, Max: 10}))
		cc := l.dial(t, r)
		reasons := map[retry.StopReason]int{}
		for range 1000 {
			_, err := call(t.Context(), cc, readMethod)
			reasons[reasonOf(t, err)]++
		}
		l.saw(t, 1010)
		if reasons[retry.StopAttemptsExhausted] != 5 || reasons[retry.StopBudget] != 995 {
			t.Errorf("the calls stopped for %v, want 5 with all their attempts and 995 for the budget", reasons)
		}
		if got := r.BudgetBalance(); got != 0 {
			t.Fatalf("the balance is %v, want 0", got)
		}

		code = codes.OK
		for range 100 {
			if _, err := call(t.Context(), cc, readMethod); err != nil {
				t.Fatal(err)
			}
		}
		if got := r.BudgetBalance(); got != 10 {
			t.Errorf("after 100 successes the balance is %v, want 10", got)
		}
		l.calls.Store(0)
		l.handle = failing(1, codes.Unavailable)
		if _, err := call(t.Context(), cc, readMethod); err != nil {
			t.Errorf("a retry after the outage: %v", err)
		}
	})
}

// gRPC's own throttle is full again after each update of the addresses. The budget knows nothing of them.
func TestScenario26AddressUpdatesDoNotRefillTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, always(codes.Unavailable))
		addresses := manual.NewBuilderWithScheme("passthrough")
		state := resolver.State{Addresses: []resolver.Address{{Addr: "replica:1"}}}
		addresses.InitialState(state)
		r := newRetrier(t, readMethod, terms{attempts: 3}, retry.WithBudget(retry.Budget{Ratio: 0.1, Max: 10}))
		cc := l.dial(t, r, grpc.WithResolvers(addresses))
		ready(t, cc)
		for range 50 {
			addresses.UpdateState(state)
			_, err := call(t.Context(), cc, readMethod)
			reasonOf(t, err)
		}
		l.saw(t, 60)
	})
}

// A thousand calls fail at once while the budget holds one token.
func TestScenario28RaceForTheLastToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, always(codes.Unavailable))
		r := newRetrier(t, readMethod, terms{attempts: 3}, retry.WithBudget(retry.Budget{Ratio: 0.1, Max: 1}))
		cc := l.dial(t, r)
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() {
				if _, err := call(t.Context(), cc, readMethod); err == nil {
					t.Error("a call succeeded")
				}
				if got := r.BudgetBalance(); got < 0 {
					t.Errorf("the balance is %v", got)
				}
			})
		}
		all.Wait()
		l.saw(t, 1001)
	})
}

func TestBudgetRefundsARetryThatSucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, failing(2, codes.Unavailable))
		r := newRetrier(t, readMethod, terms{}, retry.WithBudget(retry.Budget{Ratio: 0.1, Max: 10}))
		if _, err := call(t.Context(), l.dial(t, r), readMethod); err != nil {
			t.Fatal(err)
		}
		// Two retries, of which the second gives its token back and earns a tenth.
		if got := r.BudgetBalance(); math.Abs(got-9.1) > 1e-9 {
			t.Errorf("the balance is %v, want 9.1", got)
		}
	})
}

func TestBudgetTrickles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, always(codes.Unavailable))
		r := newRetrier(t, readMethod, terms{attempts: 10}, retry.WithBudget(retry.Budget{Max: 2, MinPerSecond: 0.1}))
		cc := l.dial(t, r)
		for _, step := range []struct {
			after time.Duration
			want  int // attempts
		}{
			{0, 3},
			{5 * time.Second, 1},
			{5 * time.Second, 2},
			{10 * time.Second, 2},
			{time.Hour, 3},
		} {
			time.Sleep(step.after)
			l.calls.Store(0)
			_, err := call(t.Context(), cc, readMethod)
			reasonOf(t, err)
			l.saw(t, step.want)
		}
	})
}

func TestBudgetIsChecked(t *testing.T) {
	for _, tt := range []struct {
		budget retry.Budget
		want   string // "" if the budget is good
	}{
		{retry.DefaultBudget(), ""},
		{retry.Budget{Ratio: 0, Max: 1, MinPerSecond: 1}, ""},
		{retry.Budget{Ratio: 0.1, Max: 10, MinPerSecond: 1.01}, "MinPerSecond is 1.01; it must be 0 to 1, because in an outage every client adds it"},
		{retry.Budget{Ratio: 0.1, Max: 10, MinPerSecond: 1.01}, "lower it, or say Unsafe"},
		{retry.Budget{Ratio: 0.1, Max: 10, MinPerSecond: 100, Unsafe: true}, ""},
		{retry.Budget{Ratio: 0.1, Max: 10, MinPerSecond: 101, Unsafe: true}, "MinPerSecond is 101"},
		{retry.Budget{Ratio: 0.1, Max: 10, MinPerSecond: -1}, "MinPerSecond is -1"},
		{retry.Budget{Ratio: 0.1, Max: 10, MinPerSecond: math.NaN()}, "MinPerSecond is NaN"},
		{retry.Budget{Ratio: 1.5, Max: 10}, "Ratio is 1.5; it must be 0 to 1"},
		{retry.Budget{Ratio: math.NaN(), Max: 10}, "Ratio is NaN"},
		{retry.Budget{Ratio: 0.1}, "Max is 0; it must be 1 to 1000000; to switch retries off"},
		{retry.Budget{Ratio: 0.1, Max: math.Inf(1)}, "Max is +Inf"},
	} {
		r := retry.New(retry.WithBudget(tt.budget))
		err := r.Check()
		_ = r.Close()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("Check of %+v = %v, want %q", tt.budget, err, tt.want)
		}
	}
}

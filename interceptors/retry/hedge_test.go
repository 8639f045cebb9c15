package retry_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/policy"
)

// step is how one attempt ends: after a while, with a code and perhaps a pushback.
type step struct {
	after    time.Duration
	code     codes.Code
	pushback string
}

// steps answers attempt n with step n, and all further ones with the last. Cut hears of attempts that were ended early.
func steps(cut func(n int), list ...step) handler {
	return func(ctx context.Context, n int) error {
		s := list[min(n, len(list))-1]
		if err := sleep(ctx, s.after); err != nil {
			cut(n)
			return err
		}
		if s.pushback != "" {
			return pushing(n, s.pushback)(ctx, n)
		}
		return status.Error(s.code, "scripted")
	}
}

func uncut(int) {}

const ms = time.Millisecond

func TestScenario29HedgeAtTheMeasuredP95(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cut []int
		trained := make([]step, 100, 102)
		for i := range trained {
			trained[i] = step{after: 20 * ms}
		}
		l := newLab(t, steps(func(n int) { cut = append(cut, n) }, append(trained, step{after: 300 * ms}, step{after: 10 * ms})...))
		cc := l.dial(t, newRetrier(t, readMethod, terms{deadline: time.Second, hedges: 1}))
		for range trained {
			if _, err := call(t.Context(), cc, readMethod); err != nil {
				t.Fatal(err)
			}
		}
		l.saw(t, 100)
		start := time.Now()
		reply, err := call(t.Context(), cc, readMethod)
		if err != nil || reply != "replica:1" {
			t.Fatal(reply, err)
		}
		took(t, start, 30*ms)
		synctest.Wait()
		if l.saw(t, 102); len(cut) != 1 || cut[0] != 101 {
			t.Errorf("the attempts %v were cut off, want the loser", cut)
		}
	})
}

func TestScenario30FailureNeverBeatsAnAttemptInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, steps(uncut, step{after: 100 * ms}, step{after: 5 * ms, code: codes.Unavailable}))
		r := newRetrier(t, readMethod, terms{attempts: 2, hedges: 1, hedgeDelay: 20 * ms})
		start := time.Now()
		if _, err := call(t.Context(), l.dial(t, r), readMethod); err != nil {
			t.Fatal(err)
		}
		took(t, start, 100*ms)
		l.saw(t, 2)
	})
}

func TestScenario31NoHedge(t *testing.T) {
	drained := retry.Budget{Max: 1}
	for _, tt := range []struct {
		name   string
		method string
		opts   []retry.Option
		before func(*testing.T, *retry.Retrier, *grpc.ClientConn)
		ctx    func(context.Context) context.Context
	}{
		{name: "one endpoint only", opts: []retry.Option{retry.WithEndpoints(func() int { return 1 })}},
		{name: "no budget", opts: []retry.Option{retry.WithBudget(drained)}, before: func(t *testing.T, r *retry.Retrier, cc *grpc.ClientConn) {
			ctx, cancel := context.WithTimeout(t.Context(), 200*ms)
			defer cancel()
			if _, err := call(ctx, cc, readMethod); err != nil || r.BudgetBalance() != 0 {
				t.Fatalf("the first call: %v; the balance is %v", err, r.BudgetBalance())
			}
		}},
		{name: "switched off", before: func(_ *testing.T, r *retry.Retrier, _ *grpc.ClientConn) { r.SetRetries(false) }},
		{name: "not enough samples", method: writeMethod},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, steps(uncut, step{after: 100 * ms}))
				s, method := terms{hedges: 1, hedgeDelay: 20 * ms}, readMethod
				if tt.method != "" {
					s, method = terms{hedges: 1}, tt.method
				}
				r := newRetrier(t, method, s, tt.opts...)
				cc := l.dial(t, r)
				if tt.before != nil {
					tt.before(t, r, cc)
					l.calls.Store(0)
				}
				start := time.Now()
				if _, err := call(t.Context(), cc, method); err != nil {
					t.Fatal(err)
				}
				took(t, start, 100*ms)
				l.saw(t, 1)
			})
		})
	}
}

func TestScenario31MethodThatMustNotBeRepeatedIsRefusedAHedge(t *testing.T) {
	_, err := policy.New(policy.Code(map[string]*policyv1.Policy{actMethod: terms{hedges: 1}.policy()}))
	if err == nil || !strings.Contains(err.Error(), "hedge.max_hedges") || !strings.Contains(err.Error(), "idempotency_level") {
		t.Errorf("Check returned %v, want the field and the remedy", err)
	}
}

// A method without side effects is hedged as soon as the policy speaks of it, an idempotent one only by number.
func TestHedgesByIdempotency(t *testing.T) {
	for method, want := range map[string]int{readMethod: 2, writeMethod: 1} {
		synctest.Test(t, func(t *testing.T) {
			p := terms{hedges: 1, hedgeDelay: 20 * ms}.policy()
			p.Hedge.MaxHedges = nil
			table, err := policy.New(policy.Code(map[string]*policyv1.Policy{method: p}))
			if err != nil {
				t.Fatal(err)
			}
			l := newLab(t, steps(uncut, step{after: 100 * ms}))
			if _, err := call(t.Context(), l.dial(t, newRetrier(t, method, terms{}, retry.WithPolicy(table))), method); err != nil {
				t.Fatal(err)
			}
			l.saw(t, want)
		})
	}
}

func TestRaces(t *testing.T) {
	hang := step{after: time.Hour}
	for _, tt := range []struct {
		name     string
		terms    terms
		opts     []retry.Option
		script   []step
		took     time.Duration
		attempts int
		code     codes.Code
		reason   retry.StopReason
		balance  float64
	}{
		{
			name: "a fast call is alone", script: []step{{after: 10 * ms}},
			took: 10 * ms, attempts: 1, balance: 10,
		},
		{
			name: "a hedge that loses is paid", script: []step{{after: 30 * ms}, hang},
			took: 30 * ms, attempts: 2, balance: 9,
		},
		{
			name: "a hedge that wins is paid too", script: []step{hang, {after: 10 * ms}},
			took: 30 * ms, attempts: 2, balance: 9,
		},
		{
			name: "several hedges, one delay after another", terms: terms{hedges: 2}, script: []step{hang, hang, {after: 10 * ms}},
			took: 50 * ms, attempts: 3, balance: 8,
		},
		{
			name: "no more than allowed at once", terms: terms{attempts: 4}, script: []step{{after: 100 * ms}, hang, hang},
			took: 100 * ms, attempts: 2, balance: 9,
		},
		{
			name: "a failure sends the next hedge at once", script: []step{{after: 25 * ms, code: codes.Unavailable}, hang, {after: 10 * ms}},
			took: 35 * ms, attempts: 3, balance: 8,
		},
		{
			name: "a pushback delays the next hedge", script: []step{{after: 25 * ms, pushback: "40"}, hang, {after: 10 * ms}},
			took: 77 * ms, attempts: 3, balance: 8,
		},
		{
			name: "a pushback ends hedging, and what is out may still win", script: []step{{after: 25 * ms, pushback: "-1"}, {after: 100 * ms}},
			took: 120 * ms, attempts: 2, balance: 8, // the hedge and the pushback
		},
		{
			name: "after a pushback nothing is tried again", script: []step{{after: 25 * ms, pushback: "-1"}, {after: 100 * ms, code: codes.Unavailable}},
			took: 120 * ms, attempts: 2, code: codes.Unavailable, reason: retry.StopPushback, balance: 8,
		},
		{
			name: "an answer ends the race", script: []step{hang, {after: 10 * ms, code: codes.NotFound}},
			took: 30 * ms, attempts: 2, code: codes.NotFound, reason: retry.StopNotRetryable, balance: 9,
		},
		{
			name: "when all have failed the call is tried again", terms: terms{attempts: 3, initial: 60 * ms, limit: 60 * ms},
			script: []step{{after: 10 * ms, code: codes.Unavailable}, {after: 10 * ms}},
			took:   50 * ms, attempts: 2, balance: 10,
		},
		{
			name: "hedges count as attempts", terms: terms{attempts: 2}, script: []step{{after: 30 * ms, code: codes.Unavailable}},
			took: 50 * ms, attempts: 2, code: codes.Unavailable, reason: retry.StopAttemptsExhausted, balance: 9,
		},
		{
			name: "the deadline ends all", terms: terms{deadline: 100 * ms}, script: []step{hang},
			took: 100 * ms, attempts: 2, code: codes.DeadlineExceeded, reason: retry.StopDeadline, balance: 9,
		},
		{
			name: "no hedge that would be late", terms: terms{deadline: 24 * ms}, script: []step{hang},
			took: 24 * ms, attempts: 1, code: codes.DeadlineExceeded, reason: retry.StopDeadline, balance: 10,
		},
		{
			name: "per-attempt timeout and hedge", terms: terms{perAttempt: 30 * ms}, script: []step{hang, {after: 100 * ms}, {after: 15 * ms}},
			took: 45 * ms, attempts: 3, balance: 8,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, steps(uncut, tt.script...))
				s := tt.terms
				s.hedges, s.hedgeDelay = max(s.hedges, 1), 20*ms
				r := newRetrier(t, readMethod, s, append(tt.opts, retry.WithBudget(retry.Budget{Max: 10}))...)
				cc := l.dial(t, r)
				start := time.Now()
				_, err := call(t.Context(), cc, readMethod)
				took(t, start, tt.took)
				if tt.code == codes.OK && err != nil {
					t.Errorf("the call failed: %v", err)
				}
				if tt.code != codes.OK {
					stopped(t, err, tt.code, tt.reason, tt.attempts)
					if n := len(failure(t, err).Endpoints); n != tt.attempts {
						t.Errorf("%d endpoints for %d attempts", n, tt.attempts)
					}
				}
				synctest.Wait()
				l.saw(t, tt.attempts)
				if got := r.BudgetBalance(); got != tt.balance {
					t.Errorf("the balance is %v, want %v", got, tt.balance)
				}
			})
		})
	}
}

func TestCallerEndsARace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cut := make(chan int, 2)
		l := newLab(t, steps(func(n int) { cut <- n }, step{after: time.Hour}))
		cc := l.dial(t, newRetrier(t, readMethod, terms{hedges: 1, hedgeDelay: 20 * ms}))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*ms, cancel)
		start := time.Now()
		_, err := call(ctx, cc, readMethod)
		stopped(t, err, codes.Canceled, retry.StopCanceled, 2)
		took(t, start, 50*ms)
		<-cut
		<-cut
	})
}

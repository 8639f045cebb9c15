package retry

import (
	"math"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	_ "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/policy"
)

// Under a thousand goroutines that do everything at once, the bucket is never below nothing nor above its limit, and no
// token is granted that was not there.
func TestBucketUnderLoad(t *testing.T) {
	const goroutines, rounds = 1000, 100
	synctest.Test(t, func(t *testing.T) { // time stands still, so nothing trickles in
		k := newBucket(Budget{Ratio: 0.25, Max: 20, MinPerSecond: 1})
		var granted, earned atomic.Int64
		var all sync.WaitGroup
		for range goroutines {
			all.Go(func() {
				for range rounds {
					switch rand.IntN(4) {
					case 0:
						earned.Add(1)
						k.success(false)
					case 1:
						if k.withdraw() {
							granted.Add(1)
						}
					case 2:
						if k.withdraw() {
							k.refund()
						}
					default:
						k.drain()
					}
					if b := k.balance(); b < 0 || b > 20 {
						t.Errorf("the balance is %v, want 0 to 20", b)
					}
				}
			})
		}
		all.Wait()
		if most := 20 + earned.Load()/4; granted.Load() > most {
			t.Errorf("%d tokens were granted, there were at most %d", granted.Load(), most)
		}
	})
}

func TestLastTokenIsGrantedOnce(t *testing.T) {
	for range 50 {
		k := newBucket(Budget{Max: 1})
		var granted atomic.Int64
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() {
				if k.withdraw() {
					granted.Add(1)
				}
			})
		}
		all.Wait()
		if granted.Load() != 1 || k.balance() != 0 {
			t.Fatalf("%d tokens were granted and %v are left, want 1 and 0", granted.Load(), k.balance())
		}
	}
}

// The trickle adds up exactly, however often and at whatever moments it is asked for.
func TestTrickleAddsUp(t *testing.T) {
	for _, perSecond := range []float64{0, 0.001, 0.1, 0.3, 1} {
		synctest.Test(t, func(t *testing.T) {
			k := newBucket(Budget{Max: 1000, MinPerSecond: perSecond})
			for k.withdraw() {
			}
			before := k.balance()
			for range 1000 {
				time.Sleep(time.Duration(rand.Int64N(int64(100 * time.Millisecond))))
				k.balance()
			}
			elapsed := time.Since(k.made).Seconds()
			if got, want := k.balance()-before, elapsed*perSecond; math.Abs(got-want) > 1e-4*want+1e-6 {
				t.Errorf("with %v/s %v trickled in within %vs, want %v", perSecond, got, elapsed, want)
			}
		})
	}
}

func TestLatencyFollowsTheMedian(t *testing.T) {
	for _, tt := range []struct {
		name   string
		sample func() time.Duration
		want   time.Duration
	}{
		{"constant", func() time.Duration { return 80 * time.Millisecond }, 80 * time.Millisecond},
		{"uniform", func() time.Duration { return rand.N(100 * time.Millisecond) }, 50 * time.Millisecond},
		{"log-normal", func() time.Duration {
			return time.Duration(math.Exp(rand.NormFloat64()) * float64(20*time.Millisecond))
		}, 20 * time.Millisecond},
		{"one in twenty hangs", func() time.Duration {
			if rand.IntN(20) == 0 {
				return 5 * time.Second
			}
			return 9*time.Millisecond + rand.N(2*time.Millisecond)
		}, 10 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var l latency
			var sum time.Duration
			const settle, measured = 500, 5000
			for i := range settle + measured {
				l.observe(tt.sample())
				if i >= settle {
					sum += l.median()
				}
			}
			if mean := sum / measured; float64(mean) < 0.8*float64(tt.want) || float64(mean) > 1.2*float64(tt.want) {
				t.Errorf("the estimate is %v on average, want about %v", mean, tt.want)
			}
		})
	}
}

func TestLatencyFollowsAChange(t *testing.T) {
	var l latency
	l.observe(10 * time.Millisecond)
	for n := 1; ; n++ {
		l.observe(20 * time.Millisecond)
		if l.median() == 20*time.Millisecond {
			if n > 13 {
				t.Errorf("it took %d samples to follow a service that became twice as slow, want about a dozen", n)
			}
			return
		}
	}
}

func TestLatencyOfZeroAndOfALifetime(t *testing.T) {
	var l latency
	l.observe(0)
	l.observe(math.MaxInt64)
	if got := l.median(); got <= 0 {
		t.Errorf("the estimate is %v", got)
	}
}

// The state that a Retrier keeps for methods does not grow with names that no .proto describes.
func TestUndescribedMethodsShareOneEstimate(t *testing.T) {
	r := New()
	defer r.Close()
	for _, name := range []string{"/a.B/C", "/a.B/D", "nonsense"} {
		m, err := r.method(name)
		if err != nil || m.latency != &r.undescribed {
			t.Errorf("%s has its own estimate (%v)", name, err)
		}
	}
}

// Names that come from outside fill no memory, however much is kept for each method.
func TestBogusMethodNamesFillNoMemory(t *testing.T) {
	r := New(WithAdaptiveTimeout(), WithBreaker(DefaultBreaker()))
	defer r.Close()
	var shared *methodStats
	for i := range 1000 {
		m, err := r.method("/bogus.Service" + strconv.Itoa(i) + "/Method")
		if err != nil {
			t.Fatal(err)
		}
		m.observeSuccess(time.Millisecond)
		if shared == nil {
			shared = m.stats
		}
		if m.stats != shared || m.latency != &r.undescribed {
			t.Fatalf("%s has statistics or an estimate of its own", m.name)
		}
	}
	kept := 0
	count := func(any, any) bool {
		kept++
		return true
	}
	r.latencies.Range(count)
	r.stats.Range(count)
	if kept != 1 {
		t.Errorf("1000 names keep %d entries, want the shared one", kept)
	}
}

// What a call reads and writes of the estimates are single words: no memory is taken, and no goroutine waits for
// another.
func TestEstimatesOnTheHotPath(t *testing.T) {
	const name = "/shop.payments.v1.PaymentsService/Refund"
	r := New(WithAdaptiveTimeout())
	defer r.Close()
	m, err := r.method(name)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 10_000 {
				m.observeSuccess(time.Millisecond + time.Duration(rand.IntN(1000)))
				m.stats.p99.value()
				_ = m.typical()
			}
		})
	}
	all.Wait()
	p99, ok := m.stats.p99.value()
	if typical := m.latency.median(); !ok || p99 < time.Millisecond || p99 > 2*time.Millisecond || typical < time.Millisecond || typical > 2*time.Millisecond {
		t.Errorf("of attempts of 1ms the median is %v and p99 %v (%v)", typical, p99, ok)
	}
	if n := testing.AllocsPerRun(1000, func() {
		m, _ := r.method(name)
		m.observeSuccess(time.Millisecond)
		_ = m.typical()
		m.stats.p99.value()
	}); n != 0 {
		t.Errorf("%v allocations for each call, want none", n)
	}
}

func BenchmarkBudgetSuccess(b *testing.B) {
	k := newBucket(DefaultBudget())
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			k.success(false)
		}
	})
}

func BenchmarkLatencyObserve(b *testing.B) {
	var l latency
	b.RunParallel(func(pb *testing.PB) {
		d := time.Duration(0)
		for pb.Next() {
			d = (d + 7919) % time.Millisecond
			l.observe(d)
		}
	})
}

// What is known of a service outlives a change of policy, and the new policy holds at once.
func TestReloadKeepsBudgetAndLatency(t *testing.T) {
	const name = "/shop.payments.v1.PaymentsService/GetQuote"
	table := policy.FromProto()
	r := New(WithPolicy(table))
	defer r.Close()
	before, err := r.method(name)
	if err != nil {
		t.Fatal(err)
	}
	before.latency.observe(30 * time.Millisecond)
	r.budget.drain()

	two := &policyv1.Policy{Retry: &policyv1.Retry{MaxAttempts: new(uint32(2))}}
	if err := table.Replace(policy.Code(map[string]*policyv1.Policy{name: two})); err != nil {
		t.Fatal(err)
	}
	after, err := r.method(name)
	if err != nil {
		t.Fatal(err)
	}
	if after.attempts != 2 || after.typical() != 30*time.Millisecond || int(r.BudgetBalance()) != 9 {
		t.Errorf("after the reload: %d attempts, typically %v, balance %v; want 2, 30ms, 9", after.attempts, after.typical(), r.BudgetBalance())
	}

	forbidden := &policyv1.Policy{Retry: &policyv1.Retry{Codes: []string{"UNAUTHENTICATED"}}}
	if err := table.Replace(policy.Code(map[string]*policyv1.Policy{name: forbidden})); err == nil {
		t.Error("a policy that the retrier refuses was taken")
	}
	if kept, err := r.method(name); err != nil || kept.attempts != 2 {
		t.Errorf("after the refused reload: %+v (%v), want 2 attempts", kept, err)
	}
}

func TestBoundsOfWaits(t *testing.T) {
	value := func(d time.Duration) policy.Value[time.Duration] {
		return policy.Value[time.Duration]{Value: d, Source: policy.Source{Kind: policy.KindCode}}
	}
	for _, tt := range []struct {
		name         string
		retry        policy.Retry
		first, tenth time.Duration
	}{
		{"nothing stated", policy.Retry{}, 50 * time.Millisecond, time.Second},
		{"a first bound above the default cap", policy.Retry{InitialBackoff: value(5 * time.Second)}, 5 * time.Second, 5 * time.Second},
		{"a cap below the default first bound", policy.Retry{MaxBackoff: value(20 * time.Millisecond)}, 20 * time.Millisecond, 20 * time.Millisecond},
		{"both", policy.Retry{InitialBackoff: value(10 * time.Millisecond), MaxBackoff: value(30 * time.Millisecond)}, 10 * time.Millisecond, 30 * time.Millisecond},
	} {
		r := New()
		m, err := r.compile(policy.Method{Retry: tt.retry})
		if err != nil {
			t.Fatal(err)
		}
		if m.bound(1) != tt.first || m.bound(10) != tt.tenth {
			t.Errorf("%s: the bounds are %v and at last %v, want %v and %v", tt.name, m.bound(1), m.bound(10), tt.first, tt.tenth)
		}
		_ = r.Close()
	}
}

// A ratio that is stated apart replaces that of the default budget, and only lowers that of a budget that was given.
func TestBudgetRatio(t *testing.T) {
	ratio := WithBudgetRatio(0.2)
	for name, test := range map[string]struct {
		options []Option
		want    Budget
	}{
		"alone":          {[]Option{ratio}, Budget{Ratio: 0.2, Max: 10, MinPerSecond: 0.1}},
		"lower":          {[]Option{WithBudget(Budget{Ratio: 0.5, Max: 4}), ratio}, Budget{Ratio: 0.2, Max: 4}},
		"higher":         {[]Option{WithBudget(Budget{Ratio: 0.1, Max: 4}), ratio}, Budget{Ratio: 0.1, Max: 4}},
		"before another": {[]Option{ratio, WithBudget(Budget{Ratio: 0.5, Max: 4})}, Budget{Ratio: 0.5, Max: 4}},
	} {
		if c := newConfig(test.options); c.budget != test.want {
			t.Errorf("%s: got %+v, want %+v", name, c.budget, test.want)
		}
	}
	if err := New(WithBudgetRatio(2)).Check(); err == nil {
		t.Error("a ratio of 2 is taken")
	}
}

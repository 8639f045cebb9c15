package policy_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/policy"
)

const propertyRounds = 1000

// TestMergeProperties merges random layers: the order of layers has no effect, a layer given twice has none either, and
// a further layer never loosens anything.
func TestMergeProperties(t *testing.T) {
	source := rand.New(rand.NewPCG(1, 2))
	merged := 0
	for range propertyRounds {
		a, b, c := randomLayer(source), randomLayer(source), randomLayer(source)
		one, errOne := policy.New(a)
		two, errTwo := policy.New(a, b, c)
		if errTwo != nil {
			if _, err := policy.New(c, b, a); err == nil {
				t.Fatalf("refused in one order only: %v", errTwo)
			}
			continue
		}
		merged++
		turned, again := newTable(t, c, a, b), newTable(t, a, b, b, c, a)
		for _, name := range []string{getQuote, charge, watchCharge, watchOrder, negotiate, getOrder} {
			want := effect(method(t, two, name))
			if got := effect(method(t, turned, name)); !reflect.DeepEqual(got, want) {
				t.Fatalf("the order matters: got\n%v\nwant\n%v", got, want)
			}
			if got := effect(method(t, again, name)); !reflect.DeepEqual(got, want) {
				t.Fatalf("a repeated layer matters: got\n%v\nwant\n%v", got, want)
			}
			if errOne == nil {
				tightens(t, method(t, one, name), method(t, two, name))
			}
			tightens(t, method(t, policy.FromProto(), name), method(t, two, name))
		}
	}
	if merged < propertyRounds/10 {
		t.Errorf("only %d of %d random policies could be merged", merged, propertyRounds)
	}
}

// effect is m without its sources, and without what has no meaning in the order of its lists.
func effect(m policy.Method) policy.Method {
	m.Idempotency.Source = policy.Source{}
	m.Auth.Access.Source, m.Auth.Carrier.Source, m.Auth.Proof.Source, m.Deadline.Source = policy.Source{}, policy.Source{}, policy.Source{}, policy.Source{}
	m.Auth.Scopes.Source, m.Retry.Codes.Source, m.Retry.MaxAttempts.Source = policy.Source{}, policy.Source{}, policy.Source{}
	m.Retry.InitialBackoff.Source, m.Retry.MaxBackoff.Source, m.Retry.PerAttemptTimeout.Source = policy.Source{}, policy.Source{}, policy.Source{}
	m.Hedge.MaxHedges.Source, m.Hedge.Delay.Source = policy.Source{}, policy.Source{}
	var lists []policy.Value[[]string]
	for _, list := range m.Auth.Peers {
		lists = append(lists, policy.Value[[]string]{Value: slices.Sorted(slices.Values(list.Value))})
	}
	slices.SortFunc(lists, func(a, b policy.Value[[]string]) int { return slices.Compare(a.Value, b.Value) })
	m.Auth.Peers = lists
	return m
}

// tightens fails when after permits anything that before does not.
func tightens(t *testing.T, before, after policy.Method) {
	t.Helper()
	atMost(t, "deadline", before.Deadline, after.Deadline)
	atMost(t, "max attempts", before.Retry.MaxAttempts, after.Retry.MaxAttempts)
	atMost(t, "per-attempt timeout", before.Retry.PerAttemptTimeout, after.Retry.PerAttemptTimeout)
	atMost(t, "max hedges", before.Hedge.MaxHedges, after.Hedge.MaxHedges)
	atMost(t, "initial backoff", after.Retry.InitialBackoff, before.Retry.InitialBackoff)
	atMost(t, "max backoff", after.Retry.MaxBackoff, before.Retry.MaxBackoff)
	atMost(t, "hedge delay", after.Hedge.Delay, before.Hedge.Delay)
	if after.Auth.Access.Value < before.Auth.Access.Value || after.Auth.Carrier.Value < before.Auth.Carrier.Value || after.Auth.Proof.Value < before.Auth.Proof.Value {
		t.Errorf("%s: access or carrier loosened", after.Name)
	}
	for _, scope := range before.Auth.Scopes.Value {
		if !slices.Contains(after.Auth.Scopes.Value, scope) {
			t.Errorf("%s: scope %q is no longer asked for", after.Name, scope)
		}
	}
	for _, code := range after.Retry.Codes.Value {
		if before.Retry.Codes.Stated() && !slices.Contains(before.Retry.Codes.Value, code) {
			t.Errorf("%s: %v became retryable", after.Name, code)
		}
	}
	if before.Retry.Codes.Stated() && !after.Retry.Codes.Stated() {
		t.Errorf("%s: the retried codes were lost", after.Name)
	}
	for _, peer := range []string{"orders", "billing", "support"} {
		if admits(after, peer) && !admits(before, peer) {
			t.Errorf("%s: %s became welcome", after.Name, peer)
		}
	}
	if t.Failed() {
		t.Fatalf("before:\n%v\nafter:\n%v", before, after)
	}
}

// atMost fails unless b, where a is stated, is stated too and no larger.
func atMost[T int | time.Duration](t *testing.T, name string, a, b policy.Value[T]) {
	t.Helper()
	if a.Stated() && b.Stated() && b.Value > a.Value {
		t.Errorf("%s loosened: %v and %v", name, a, b)
	}
}

func admits(m policy.Method, peer string) bool {
	for _, list := range m.Auth.Peers {
		if !slices.Contains(list.Value, peer) {
			return false
		}
	}
	return true
}

func randomLayer(r *rand.Rand) policy.Layer {
	p := policies{}
	for _, key := range []string{allPayments, getQuote, charge, watchCharge, allOrders, watchOrder} {
		if r.IntN(3) == 0 {
			p[key] = randomPolicy(r)
		}
	}
	return policy.CodeAt("random.go:"+string(rune('a'+r.IntN(26))), p)
}

func randomPolicy(r *rand.Rand) *policyv1.Policy {
	p := &policyv1.Policy{Auth: &policyv1.Auth{}, Retry: &policyv1.Retry{}, Hedge: &policyv1.Hedge{}}
	some := func() bool { return r.IntN(4) == 0 }
	between := func(least, most time.Duration) *durationpb.Duration {
		return durationpb.New(least + time.Duration(r.Int64N(int64(most-least))))
	}
	if some() {
		p.Auth.Access = []policyv1.Access{policyv1.Access_ACCESS_AUTHENTICATED, policyv1.Access_ACCESS_DENIED, policyv1.Access_ACCESS_UNSPECIFIED}[r.IntN(3)].Enum()
	}
	if some() && p.GetAuth().GetAccess() == policyv1.Access_ACCESS_UNSPECIFIED {
		p.Auth.Peers = subset(r, "orders", "billing", "support")
	}
	if some() {
		p.Auth.Scopes = subset(r, "read", "write")
	}
	if some() {
		p.Auth.Carrier = policyv1.Carrier(r.Int32N(3)).Enum()
	}
	if some() {
		p.Auth.Proof = policyv1.Proof(r.Int32N(4)).Enum()
	}
	if some() {
		p.Deadline = &policyv1.Deadline{Max: between(time.Second, time.Minute)}
	}
	if some() {
		p.Retry.MaxAttempts = new(r.Uint32N(10) + 1)
	}
	if some() {
		p.Retry.InitialBackoff = between(time.Millisecond, 100*time.Millisecond)
	}
	if some() {
		p.Retry.MaxBackoff = between(80*time.Millisecond, time.Second)
	}
	if some() {
		p.Retry.PerAttemptTimeout = between(time.Millisecond, time.Second)
	}
	if some() {
		p.Retry.Codes = subset(r, "UNAVAILABLE", "ABORTED", "INTERNAL")
	}
	if some() {
		p.Hedge.MaxHedges = new(r.Uint32N(10))
	}
	if some() {
		p.Hedge.Delay = between(0, time.Second)
	}
	return p
}

func subset(r *rand.Rand, of ...string) []string {
	r.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
	return of[:r.IntN(len(of))+1]
}

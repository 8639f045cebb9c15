package policy_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/internal/rounds"
	"github.com/parley-rpc/parley/policy"
)

// TestMergeProperties merges random layers: the order of layers has no effect, a layer given twice has none either, and
// a further layer never loosens anything.
func TestMergeProperties(t *testing.T) {
	source := rand.New(rand.NewPCG(1, 2))
	tries, merged := rounds.Of(100), 0
	for range tries {
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
	if merged < tries/10 {
		t.Errorf("only %d of %d random policies could be merged", merged, tries)
	}
}

// effect is m without its sources, and without what has no meaning in the order of its lists.
func effect(m policy.Method) policy.Method {
	m.Idempotency.Source = policy.Source{}
	m.Auth, m.Trial, m.Deadline.Source = authEffect(m.Auth), authEffect(m.Trial), policy.Source{}
	m.Retry.Codes.Source, m.Retry.MaxAttempts.Source = policy.Source{}, policy.Source{}
	m.Retry.InitialBackoff.Source, m.Retry.MaxBackoff.Source, m.Retry.PerAttemptTimeout.Source = policy.Source{}, policy.Source{}, policy.Source{}
	m.Hedge.MaxHedges.Source, m.Hedge.Delay.Source = policy.Source{}, policy.Source{}
	return m
}

func authEffect(a policy.Auth) policy.Auth {
	a.Access.Source, a.Carrier.Source, a.Proof.Source, a.Scopes.Source = policy.Source{}, policy.Source{}, policy.Source{}, policy.Source{}
	a.User.Presence.Source, a.User.Issuers.Source, a.User.Scopes.Source = policy.Source{}, policy.Source{}, policy.Source{}
	var lists []policy.Value[[]string]
	for _, list := range a.Peers {
		lists = append(lists, policy.Value[[]string]{Value: slices.Sorted(slices.Values(list.Value))})
	}
	slices.SortFunc(lists, func(a, b policy.Value[[]string]) int { return slices.Compare(a.Value, b.Value) })
	var allow []policy.Value[[]policy.Rule]
	for _, list := range a.Allow {
		allow = append(allow, policy.Value[[]policy.Rule]{Value: rulesEffect(list.Value)})
	}
	slices.SortFunc(allow, func(a, b policy.Value[[]policy.Rule]) int {
		return strings.Compare(fmt.Sprint(a.Value), fmt.Sprint(b.Value))
	})
	a.Guards = slices.SortedFunc(slices.Values(a.Guards), func(a, b policy.Guard) int {
		return strings.Compare(a.String(), b.String())
	})
	a.Peers, a.Deny, a.Allow = lists, rulesEffect(a.Deny), allow
	return a
}

func rulesEffect(rules []policy.Rule) []policy.Rule {
	var all []policy.Rule
	for _, rule := range rules {
		rule.Source = policy.Source{}
		all = append(all, rule)
	}
	slices.SortFunc(all, func(a, b policy.Rule) int { return strings.Compare(a.String(), b.String()) })
	return all
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
	tightensRules(t, before, after)
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

// tightensRules fails when a deny rule is gone, or a list of allow rules, or a demand for a user is weaker.
func tightensRules(t *testing.T, before, after policy.Method) {
	t.Helper()
	for _, rule := range before.Auth.Deny {
		if !slices.ContainsFunc(after.Auth.Deny, rule.Same) {
			t.Errorf("%s: nothing denies by %v any more", after.Name, rule)
		}
	}
	for _, guard := range before.Auth.Guards {
		if !slices.ContainsFunc(after.Auth.Guards, guard.Same) {
			t.Errorf("%s: %v guards no more", after.Name, guard)
		}
	}
	was, is := authEffect(before.Auth), authEffect(after.Auth)
	for _, list := range was.Allow {
		if !slices.ContainsFunc(is.Allow, func(l policy.Value[[]policy.Rule]) bool {
			return slices.EqualFunc(l.Value, list.Value, policy.Rule.Same)
		}) {
			t.Errorf("%s: none of %v need hold any more", after.Name, list)
		}
	}
	if is.User.Presence.Value < was.User.Presence.Value {
		t.Errorf("%s: the user is %v now", after.Name, is.User.Presence)
	}
	for _, scope := range was.User.Scopes.Value {
		if !slices.Contains(is.User.Scopes.Value, scope) {
			t.Errorf("%s: the user's scope %q is no longer asked for", after.Name, scope)
		}
	}
	for _, issuer := range is.User.Issuers.Value {
		if was.User.Issuers.Value != nil && !slices.Contains(was.User.Issuers.Value, issuer) {
			t.Errorf("%s: issuer %q is taken now", after.Name, issuer)
		}
	}
	if was.User.Issuers.Value != nil && is.User.Issuers.Value == nil {
		t.Errorf("%s: every issuer is taken now", after.Name)
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
	switch r.IntN(8) {
	case 0:
		return policy.Guarded(&wall{string(rune('a' + r.IntN(3)))}, &wall{"d"})
	case 1:
		return policy.GuardedOnTrial(&wall{string(rune('a' + r.IntN(3)))})
	case 2:
		return policy.Decided(policy.Access(r.IntN(3)+1), policy.Source{Kind: policy.KindFile, Place: "random"})
	}
	p := policies{}
	for _, key := range []string{
		"/*", "/shop.*", "/shop.payments.v1.*", allPayments, getQuote, charge, watchCharge, allOrders, watchOrder,
	} {
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
		p.Auth.Deny = randomRules(r)
	}
	if some() && p.GetAuth().GetAccess() != policyv1.Access_ACCESS_DENIED {
		p.Auth.Allow = randomRules(r)
	}
	if some() {
		p.Auth.User = &policyv1.User{Presence: policyv1.Presence(r.Int32N(2) + 1).Enum()}
		if some() {
			p.Auth.User.Issuers = append(subset(r, "https://a", "https://b"), "https://c")
		}
		if some() {
			p.Auth.User.Scopes = subset(r, "buy", "sell")
		}
	}
	if some() && p.GetAuth().GetUser() != nil && p.GetAuth().Proof == nil {
		p.Auth.DryRun = new(true)
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

// randomRules are rules that differ in name and condition.
func randomRules(r *rand.Rand) []*policyv1.Rule {
	all := []*policyv1.Rule{
		{Name: new("orders"), Peers: []string{"orders"}},
		{Name: new("billing"), Peers: []string{"billing"}, Scopes: []string{"b", "a"}},
		{Name: new("dev"), Claims: []*policyv1.Claim{{Path: []string{"env"}, Any: text("dev", "test")}}},
		{Name: new("mfa"), User: &policyv1.UserCondition{Claims: []*policyv1.Claim{{Path: []string{"mfa"}, Exists: new(true)}}}},
		{Name: new("night"), Predicates: []string{"at-night"}},
		{Name: new("guests"), User: &policyv1.UserCondition{SubjectPrefix: []string{"guest-"}}},
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:r.IntN(3)+1]
}

func subset(r *rand.Rand, of ...string) []string {
	r.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
	return of[:r.IntN(len(of))+1]
}

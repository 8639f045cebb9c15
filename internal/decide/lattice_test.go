package decide_test

import (
	"context"
	"math/rand/v2"
	"testing"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/internal/decide"
	"github.com/parley-rpc/parley/internal/rounds"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

// TestNarrowingNeverOpens decides on random calls by random layers: what two layers together allow, each of them allows
// alone; the order of layers has no effect; and what is on trial changes no decision. Some of the rules print alike,
// although they are about different claims.
func TestNarrowingNeverOpens(t *testing.T) {
	const calls = 40
	r := rand.New(rand.NewPCG(3, 4))
	j := &judged{t: t}
	odd := withPredicate("odd", func(_ context.Context, call policy.Call) bool {
		return call.User != nil && len(call.User.Subject)%2 == 1
	})
	compiled := func(layers ...*policyv1.Auth) *decide.Policy {
		p, err := compileLayers(layers, server(t, odd))
		if err != nil {
			return nil // random layers may contradict each other
		}
		return p
	}
	allowed, narrowed := 0, 0
	for range rounds.Of(150) {
		a, b := randomAuth(r), randomAuth(r)
		trial := randomAuth(r)
		trial.DryRun = new(true)
		one, other, two, turned, tried := compiled(a), compiled(b), compiled(a, b), compiled(b, a), compiled(a, b, trial)
		if one == nil || other == nil || two == nil {
			continue
		}
		for range calls {
			call := randomCall(r, j)
			before, after := one.Explain(t.Context(), &call), two.Explain(t.Context(), &call)
			if after.Allowed && !before.Allowed {
				t.Fatalf("a layer opened the method\nbefore: %v\nafter: %v", before, after)
			}
			if e := other.Explain(t.Context(), &call); after.Allowed && !e.Allowed {
				t.Fatalf("both layers allow what one refuses\none:  %v\nboth: %v", e, after)
			}
			if e := turned.Explain(t.Context(), &call); e.Allowed != after.Allowed {
				t.Fatalf("the order of layers matters\n%v\n%v", after, e)
			}
			if tried != nil {
				if e := tried.Explain(t.Context(), &call); e.Allowed != after.Allowed || e.Reason != after.Reason {
					t.Fatalf("a trial changed a decision\n%v\n%v", after, e)
				}
			}
			if before.Allowed {
				allowed++
			}
			if before.Allowed && !after.Allowed {
				narrowed++
			}
		}
	}
	if allowed < 100 || narrowed < 100 {
		t.Errorf("of the random calls %d were allowed and %d of them narrowed; that proves nothing", allowed, narrowed)
	}
}

func randomAuth(r *rand.Rand) *policyv1.Auth {
	a := new(policyv1.Auth)
	some := func() bool { return r.IntN(3) == 0 }
	if some() {
		a.Peers = []string{"orders", "billing"}
	}
	if some() {
		a.Scopes = []string{"read"}
	}
	if some() {
		a.Carrier = policyv1.Carrier_CARRIER_TOKEN.Enum()
	}
	if some() {
		a.Deny = randomRules(r)
	}
	if some() {
		paths := [][]string{{"realm", "env"}, {"realm>env"}} // a path, and a name that reads like it
		claim := &policyv1.Claim{Path: paths[r.IntN(2)], Exists: new(true)}
		a.Deny = append(a.Deny, &policyv1.Rule{Name: new("realm"), Claims: []*policyv1.Claim{claim}})
	}
	if some() {
		a.Allow = randomRules(r)
	}
	if some() {
		a.User = &policyv1.User{Presence: policyv1.Presence(r.Int32N(2) + 1).Enum()}
		if some() {
			a.User.Issuers = []string{loginName}
		}
	}
	return a
}

func randomRules(r *rand.Rand) []*policyv1.Rule {
	claim := func(set func(*policyv1.Claim)) []*policyv1.Claim {
		c := &policyv1.Claim{Path: []string{"env"}}
		set(c)
		return []*policyv1.Claim{c}
	}
	all := []*policyv1.Rule{
		{Name: new("orders"), Peers: []string{"orders"}},
		{Name: new("readers"), Peers: []string{"spiffe://shop.example/*"}, Scopes: []string{"read"}},
		{Name: new("dev"), Claims: claim(func(c *policyv1.Claim) { c.Any = values("dev") })},
		{Name: new("not-dev"), Claims: claim(func(c *policyv1.Claim) { c.None = values("dev") })},
		{Name: new("no-env"), Claims: claim(func(c *policyv1.Claim) { c.Exists = new(false) })},
		{
			Name: new("user-env"),
			User: &policyv1.UserCondition{Claims: claim(func(c *policyv1.Claim) { c.Exists = new(true) })},
		},
		{Name: new("alice"), User: &policyv1.UserCondition{Subjects: []string{"alice"}}},
		{Name: new("odd"), Predicates: []string{"odd"}},
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:r.IntN(3)+1]
}

func randomCall(r *rand.Rand, j *judged) policy.Call {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	call := policy.Call{Method: quote}
	if r.IntN(8) > 0 {
		call.Peer = j.peer(pick("orders", "orders", "billing"),
			pick(`{}`, `{"env":"dev"}`, `{"env":["prod"]}`, `{"realm":{"env":1}}`, `{"realm>env":1}`), pick("read", "write"))
		call.Peer.Carrier = principal.Carrier(r.IntN(2) + 1)
	}
	if r.IntN(3) > 0 {
		call.User = j.user(pick("alice", "bob"), pick(`{}`, `{"env":1}`), "buy")
		call.User.Issuer = pick(loginName, mintName)
	}
	return call
}

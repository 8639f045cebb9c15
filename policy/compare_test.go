package policy_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/internal/rounds"
	"github.com/parley-rpc/parley/policy"
)

func TestCompare(t *testing.T) {
	auth := func(a *policyv1.Auth) *policyv1.Policy { return &policyv1.Policy{Auth: a} }
	peers := func(names ...string) *policyv1.Policy { return auth(&policyv1.Auth{Peers: names}) }
	retries := func(attempts uint32) *policyv1.Policy {
		return &policyv1.Policy{Retry: &policyv1.Retry{MaxAttempts: &attempts}}
	}
	deadline := func(d time.Duration) *policyv1.Policy {
		return &policyv1.Policy{Deadline: &policyv1.Deadline{Max: durationpb.New(d)}}
	}
	denied := func(peer string) *policyv1.Policy { return deny(peersRule("fired", peer)) }
	allowed := func(names ...string) *policyv1.Policy {
		var rules []*policyv1.Rule
		for _, name := range names {
			rules = append(rules, peersRule(name, name))
		}
		return auth(&policyv1.Auth{Allow: rules})
	}
	for name, test := range map[string]struct {
		before, after *policyv1.Policy
		want          []string
	}{
		"nothing changes": {peers("a", "b"), peers("b", "a"), nil},
		"a peer more":     {peers("a"), peers("a", "b"), []string{"auth.peers opens: b may call now"}},
		"a peer less":     {peers("a", "b"), peers("a"), []string{"auth.peers closes: b may no longer call"}},
		"another peer": {
			peers("a"), peers("b"),
			[]string{"auth.peers opens: b may call now", "auth.peers closes: a may no longer call"},
		},
		"a wider pattern": {
			peers("spiffe://shop.example/a/b"), peers("spiffe://shop.example/a/*"),
			[]string{"auth.peers opens: spiffe://shop.example/a/* may call now"},
		},
		"a narrower pattern": {
			peers("spiffe://shop.example/a/*"), peers("spiffe://shop.example/a/b/*"),
			[]string{"auth.peers closes: spiffe://shop.example/a/* may no longer call"},
		},
		"a scope more": {
			auth(&policyv1.Auth{Scopes: []string{"read"}}), auth(&policyv1.Auth{Scopes: []string{"read", "write"}}),
			[]string{`auth.scopes closes: scope "write" is asked for now`},
		},
		"a rule that denies goes": {denied("a"), denied("b"), []string{
			"auth.deny opens: rule fired: peers a no longer denies", "auth.deny closes: rule fired: peers b denies now",
		}},
		"a rule more that allows": {allowed("a"), allowed("a", "b"), []string{
			"auth.allow opens: callers whom none of the rules a allows may call now",
		}},
		"a rule less that allows": {allowed("a", "b"), allowed("b"), []string{
			"auth.allow closes: callers whom none of the rules b allows may no longer call",
		}},
		"a user is asked for": {
			peers("a"), auth(&policyv1.Auth{
				Peers: []string{"a"},
				User:  &policyv1.User{Presence: new(policyv1.Presence_PRESENCE_REQUIRED)},
			}),
			[]string{"auth.user.presence closes: it is required now and was optional"},
		},
		"a shorter deadline": {
			deadline(time.Second), deadline(time.Millisecond),
			[]string{"deadline.max shortens: it is 1ms now and was 1s"},
		},
		"a longer deadline": {
			deadline(time.Millisecond), deadline(time.Second),
			[]string{"deadline.max changes: it is 1s now and was 1ms"},
		},
		"fewer attempts": {
			retries(3), retries(2),
			[]string{"retry.max_attempts shortens: it is 2 now and was 3"},
		},
		"attempts stated": {
			&policyv1.Policy{}, retries(2),
			[]string{"retry.max_attempts changes: it is 2 now and was not stated"},
		},
		"no retries": {
			&policyv1.Policy{}, retries(1),
			[]string{"retry.max_attempts shortens: it is 1 now and was not stated"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := method(t, newTable(t, code(policies{watchOrder: test.before})), watchOrder)
			after := method(t, newTable(t, code(policies{watchOrder: test.after})), watchOrder)
			if got := described(policy.Compare(before, after)); !slices.Equal(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

func described(changes []policy.Change) []string {
	var texts []string
	for _, c := range changes {
		texts = append(texts, fmt.Sprintf("%s %s: %s", c.Field, c.Effect, c.Text))
	}
	return texts
}

// What a further layer changes never opens, and turned round it never closes. A method differs in nothing from itself.
func TestCompareKnowsThatLayersNarrow(t *testing.T) {
	source := rand.New(rand.NewPCG(5, 6))
	closed := 0
	for range rounds.Of(200) {
		a, b := randomLayer(source), randomLayer(source)
		one, err1 := policy.New(a)
		two, err2 := policy.New(a, b)
		if err1 != nil || err2 != nil {
			continue
		}
		for _, name := range []string{getQuote, charge, watchCharge, watchOrder, negotiate, getOrder} {
			wide, narrow := method(t, one, name), method(t, two, name)
			if changes := policy.Compare(narrow, narrow); len(changes) > 0 {
				t.Fatalf("it differs from itself: %v", changes)
			}
			for _, c := range policy.Compare(wide, narrow) {
				if c.Effect == policy.EffectOpens {
					t.Fatalf("a layer opens: %+v\nbefore %v\nafter  %v", c, wide, narrow)
				}
				closed++
			}
			for _, c := range policy.Compare(narrow, wide) {
				if c.Effect == policy.EffectCloses {
					t.Fatalf("taking a layer away closes: %+v", c)
				}
			}
		}
	}
	if closed < 100 {
		t.Errorf("%d changes prove nothing", closed)
	}
}

package decide_test

import (
	"context"
	"strings"
	"testing"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/internal/decide"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// Who may call by rules: deny, then allow, then nobody. Lists are alternatives, fields must all hold.
func TestRules(t *testing.T) {
	const (
		passes  = rpcerr.Reason("")
		denied  = rpcerr.PolicyDenied
		unknown = rpcerr.CredentialsMissing
	)
	env := []*policyv1.Claim{{Path: []string{"env"}, Any: values("dev")}}
	all := &policyv1.Auth{
		Deny: []*policyv1.Rule{
			{Name: new("no-dev"), Claims: env},
			{Name: new("no-mallory"), User: &policyv1.UserCondition{Subjects: []string{"mallory"}}},
		},
		Allow: []*policyv1.Rule{
			{Name: new("readers"), Peers: []string{"reports", "spiffe://shop.example/orders"}, Scopes: []string{"read"}},
			{
				Name:      new("for-us"),
				Audiences: []string{"spiffe://shop.example/ledger", "spiffe://shop.example/payments"},
				Claims:    []*policyv1.Claim{{Path: []string{"team"}, Equals: value("core")}},
			},
			{
				Name: new("shoppers"),
				User: &policyv1.UserCondition{
					Issuers:  []string{loginName},
					Subjects: []string{"alice", "bob", "mallory"},
					Scopes:   []string{"buy"},
				},
			},
		},
	}
	j := judge(t, all)
	foreign := j.user("alice", "", "buy")
	foreign.Issuer = mintName
	elsewhere := j.peer("orders", `{"team":"core"}`)
	elsewhere.Audiences = []string{"spiffe://shop.example/elsewhere"}
	for name, test := range map[string]struct {
		peer *principal.Peer
		user *principal.User
		want rpcerr.Reason
	}{
		"nobody":                                {nil, nil, unknown},
		"a user alone":                          {nil, j.user("alice", "", "buy"), unknown},
		"a caller for whom no rule holds":       {j.peer("orders", ""), nil, denied},
		"peer and scope":                        {j.peer("orders", "", "read"), nil, passes},
		"scope of another peer":                 {j.peer("support", "", "read"), nil, denied},
		"scope that is part of another":         {j.peer("orders", "", "reader"), nil, denied},
		"audience and claim":                    {j.peer("orders", `{"team":"core"}`), nil, passes},
		"claim in a token made for another":     {elsewhere, nil, denied},
		"denied although a rule allows":         {j.peer("orders", `{"env":"dev"}`, "read"), nil, denied},
		"denied by one value of several":        {j.peer("orders", `{"env":["prod","dev"]}`, "read"), nil, denied},
		"a claim that the deny rule misses":     {j.peer("orders", `{"env":"prod"}`, "read"), nil, passes},
		"a user":                                {j.peer("orders", ""), j.user("alice", "", "buy"), passes},
		"a user without the scope":              {j.peer("orders", ""), j.user("alice", "", "browse"), denied},
		"a user who is not listed":              {j.peer("orders", ""), j.user("carol", "", "buy"), denied},
		"a user of another issuer":              {j.peer("orders", ""), foreign, denied},
		"a user who is denied":                  {j.peer("orders", ""), j.user("mallory", "", "buy"), denied},
		"a user who is denied, of a good peer":  {j.peer("orders", "", "read"), j.user("mallory", ""), denied},
		"a user whom no deny rule can hold for": {j.peer("orders", "", "read"), j.user("alice", `{"env":"dev"}`), passes},
	} {
		if e := j.explain(test.peer, test.user); e.Reason != test.want {
			t.Errorf("%s: got %v, want %q", name, e, test.want)
		}
	}
}

// Users are denied by the beginning and the end of their sub.
func TestRulesAboutSubjects(t *testing.T) {
	guests := &policyv1.Auth{
		Deny: []*policyv1.Rule{
			{Name: new("no-guests"), User: &policyv1.UserCondition{SubjectPrefix: []string{"guest-", "anon-"}}},
		},
		Allow: []*policyv1.Rule{
			{Name: new("people"), User: &policyv1.UserCondition{SubjectSuffix: []string{"@shop.example"}}},
		},
	}
	j := judge(t, guests)
	for subject, want := range map[string]bool{
		"alice@shop.example": true, "guest-17@shop.example": false, "guest-@shop.example": false,
		"anon-1@shop.example":   false,
		"Guest-17@shop.example": true, "my-guest-17@shop.example": true, "alice": false, "alice@shop.example.evil": false,
	} {
		if e := j.explain(j.peer("orders", ""), j.user(subject, "")); e.Allowed != want {
			t.Errorf("%s: %v", subject, e)
		}
	}
}

// The .proto lets orders alone in, whatever the rules of a layer allow.
func TestRulesDoNotOpenThePeersOfTheProto(t *testing.T) {
	j := judge(
		t,
		&policyv1.Auth{Allow: []*policyv1.Rule{{Name: new("everybody"), Peers: []string{"spiffe://shop.example/*"}}}},
	)
	if e := j.explain(j.peer("orders", ""), nil); !e.Allowed {
		t.Error(e)
	}
	if e := j.explain(j.peer("mallory", ""), nil); e.Allowed {
		t.Error(e)
	}
}

// What a server cannot decide by is a mistake at its start, with the place and a remedy.
func TestRulesThatCannotHold67(t *testing.T) {
	rule := func(r *policyv1.Rule) *policyv1.Auth {
		r.Name = new("r")
		return &policyv1.Auth{Allow: []*policyv1.Rule{r}}
	}
	claim := []*policyv1.Claim{{Path: []string{"env"}, Exists: new(true)}}
	listed := []string{"orders", "reports"}
	type change = func(*decide.Server)
	users := func(s *decide.Server) { s.Tokens, s.UserIssuers = true, []string{loginName} }
	bearer := func(s *decide.Server) { s.Tokens = true }
	night := withPredicate("at-night", func(context.Context, policy.Call) bool { return true })
	for name, test := range map[string]struct {
		auth *policyv1.Auth
		opts []change
		want string
	}{
		"peers that are no IDs": {
			rule(&policyv1.Rule{Peers: []string{"or*"}}), nil,
			`auth.allow: rule "r": peers: principal: ID pattern "or*"`,
		},
		"peers of a foreign domain": {
			rule(&policyv1.Rule{Peers: []string{"spiffe://other.example/a"}}), nil,
			`accept one in identity.accept_domains`,
		},
		"a predicate that nobody wrote": {
			rule(&policyv1.Rule{Predicates: []string{"at-nigth"}}),
			[]change{night},
			`the server has no predicate "at-nigth"; it has at-night`,
		},
		"no predicates at all": {
			rule(&policyv1.Rule{Predicates: []string{"at-night"}}), nil,
			`give it one WithPredicate`,
		},
		"scopes without tokens":           {rule(&policyv1.Rule{Scopes: []string{"a"}}), nil, `with token in its carriers`},
		"claims without tokens":           {rule(&policyv1.Rule{Claims: claim}), nil, `with token in its carriers`},
		"scopes of the method, no tokens": {&policyv1.Auth{Scopes: []string{"a"}}, nil, `auth.scopes: it can never hold`},
		"users for whom nobody vouches": {
			rule(&policyv1.Rule{User: &policyv1.UserCondition{}}), nil,
			`name one in users.issuers, or WithUserIssuers`,
		},
		"users of an unknown issuer": {
			rule(&policyv1.Rule{User: &policyv1.UserCondition{Issuers: []string{"https://x"}}}),
			[]change{users},
			`the server accepts none of these issuers: "https://x"`,
		},
		"a required user without issuers": {
			&policyv1.Auth{User: &policyv1.User{Presence: policyv1.Presence_PRESENCE_REQUIRED.Enum()}},
			[]change{bearer},
			`auth.user.presence: it can never hold`,
		},
		"issuers of which none is known": {
			&policyv1.Auth{User: &policyv1.User{Issuers: []string{loginName + "/"}}},
			[]change{users},
			`auth.user.issuers: it can never hold`,
		},
		"a rule about callers that the same place keeps out": {
			&policyv1.Auth{Peers: listed, Allow: []*policyv1.Rule{
				{Name: new("a"), Peers: []string{"orders"}}, {Name: new("b"), Peers: []string{"spiffe://shop.example/batch/*"}},
			}}, nil,
			`auth.allow: rule "b" can never hold, because auth.peers in the same place lists none of its peers`,
		},
		"a deny rule about callers that are kept out": {
			&policyv1.Auth{Peers: listed, Deny: []*policyv1.Rule{{Name: new("a"), Peers: []string{"billing"}}}}, nil,
			`auth.deny: rule "a" can never hold`,
		},
		"rules about callers that the .proto keeps out": {
			rule(&policyv1.Rule{Peers: []string{"billing"}}), nil,
			`auth.allow: no caller can call, because the peers keep out all that its rules name`,
		},
		"the same on trial": {
			&policyv1.Auth{DryRun: new(true), Scopes: []string{"a"}}, nil,
			`auth.scopes: it can never hold`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			bare := func(s *decide.Server) { s.Tokens, s.UserIssuers = false, nil }
			_, err := compile(t, test.auth, server(t, append([]change{bare}, test.opts...)...))
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "policy_test.go:") {
				t.Errorf("got %v, want the place and %q", err, test.want)
			}
		})
	}
	for name, opts := range map[string][]change{
		"no name":     {withPredicate("", func(context.Context, policy.Call) bool { return true })},
		"no function": {withPredicate("p", nil)},
		"twice":       {night, night},
	} {
		if err := server(t, opts...).Check(); err == nil {
			t.Errorf("a predicate is accepted: %s", name)
		}
	}
}

// A caller whom only another token keeps out learns that, if the server is told to say so, and never which.
func TestStepUpOfCallersAndUsers(t *testing.T) {
	buy := &policyv1.Auth{User: &policyv1.User{Scopes: []string{"buy"}}, Scopes: []string{"read"}, Allow: []*policyv1.Rule{
		{
			Name:  new("mfa"),
			Peers: []string{"orders"},
			User:  &policyv1.UserCondition{Claims: []*policyv1.Claim{{Path: []string{"mfa"}, Equals: value(true)}}},
		},
	}}
	silent, open := judge(t, buy), judge(t, buy, func(s *decide.Server) { s.StepUp = true })
	const (
		passes = rpcerr.Reason("")
		denied = rpcerr.PolicyDenied
		lacks  = rpcerr.InsufficientScope
	)
	for name, test := range map[string]struct {
		peer *principal.Peer
		user *principal.User
		want rpcerr.Reason
	}{
		"everything": {
			open.peer("orders", "", "read"), open.user("alice", `{"mfa":true}`, "buy"), passes,
		},
		"the caller's scope is missing":        {open.peer("orders", ""), open.user("alice", `{"mfa":true}`, "buy"), lacks},
		"the user's scope is missing":          {open.peer("orders", "", "read"), open.user("alice", `{"mfa":true}`), lacks},
		"the user's claim is missing":          {open.peer("orders", "", "read"), open.user("alice", "", "buy"), lacks},
		"all of it is missing":                 {open.peer("orders", ""), open.user("alice", ""), lacks},
		"another peer, and a scope is missing": {open.peer("mallory", ""), open.user("alice", ""), denied},
		"no user at all":                       {open.peer("orders", ""), nil, denied},
	} {
		if e := open.explain(test.peer, test.user); e.Reason != test.want {
			t.Errorf("%s: %v, want %q", name, e, test.want)
		}
		if e := silent.explain(test.peer, test.user); e.Reason == lacks {
			t.Errorf("%s: the server says so unasked: %v", name, e)
		}
	}
}

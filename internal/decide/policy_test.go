package decide_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	_ "github.com/parley-rpc/parley/gen/shop/payments/v1" // registers the methods
	"github.com/parley-rpc/parley/internal/decide"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

const quote = "/shop.payments.v1.PaymentsService/GetQuote"

func domain(t testing.TB) principal.TrustDomain {
	t.Helper()
	d, err := principal.ParseTrustDomain("shop.example")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func peer(t testing.TB, service string, scopes ...string) *principal.Peer {
	t.Helper()
	id, err := domain(t).ID(service)
	if err != nil {
		t.Fatal(err)
	}
	return &principal.Peer{ID: id, Carrier: principal.CarrierToken, Scopes: scopes}
}

// compile compiles the policy of GetQuote, narrowed by a, for a server.
func compile(t testing.TB, a *policyv1.Auth, s *decide.Server) (*decide.Policy, error) {
	t.Helper()
	return compileLayers([]*policyv1.Auth{a}, s)
}

// compileLayers compiles the policy of GetQuote, narrowed by layers, for a server.
func compileLayers(layers []*policyv1.Auth, s *decide.Server) (*decide.Policy, error) {
	method, err := merged(layers)
	if err != nil {
		return nil, err
	}
	return decide.Compile(method, s)
}

// merged is the policy of the method with further layers.
func merged(layers []*policyv1.Auth) (policy.Method, error) {
	var stated []policy.Layer
	for _, a := range layers {
		stated = append(stated, policy.Code(map[string]*policyv1.Policy{quote: {Auth: a}}))
	}
	table, err := policy.New(stated...)
	if err != nil {
		return policy.Method{}, err
	}
	return table.Method(quote)
}

// open is a server that accepts bearer tokens and one issuer of users.
func open(t testing.TB) *decide.Server {
	return &decide.Server{
		Domain: domain(t), Tokens: true, UserIssuers: []string{"https://login.example"},
		Accepts: func(d principal.TrustDomain) bool { return d == domain(t) },
	}
}

// A program without a server judges calls by a policy.
func TestJudge(t *testing.T) {
	p, err := compile(t, &policyv1.Auth{
		Scopes: []string{"read"},
		Deny:   []*policyv1.Rule{{Name: new("no-reports"), Peers: []string{"reports"}}},
	}, open(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		call policy.Call
		want rpcerr.Reason
	}{
		"a peer with the scope": {policy.Call{Peer: peer(t, "orders", "read")}, ""},
		"without the scope":     {policy.Call{Peer: peer(t, "orders")}, rpcerr.PolicyDenied},
		"denied by a rule":      {policy.Call{Peer: peer(t, "reports", "read")}, rpcerr.PolicyDenied},
		"another peer":          {policy.Call{Peer: peer(t, "mallory", "read")}, rpcerr.PolicyDenied},
		"unproven":              {policy.Call{}, rpcerr.CredentialsMissing},
	} {
		test.call.Method = quote
		d := p.Judge(t.Context(), &test.call)
		if d.Reason() != test.want || d.Allows() != (test.want == "") {
			t.Errorf("%s: %q, %v", name, d.Reason(), d)
		}
		if e := p.Explain(t.Context(), &test.call); e.Allowed != d.Allows() || e.Reason != d.Reason() {
			t.Errorf("%s is explained as %v", name, e)
		}
	}
}

// The zero policy lets no call pass.
func TestZeroPolicy(t *testing.T) {
	call := &policy.Call{Method: quote, Peer: peer(t, "orders", "read")}
	if d := new(decide.Policy).Judge(t.Context(), call); d.Reason() != rpcerr.PolicyDenied {
		t.Errorf("a proven peer: %q", d.Reason())
	}
	if e := new(decide.Policy).Explain(t.Context(), call); e.Allowed || e.Reason != rpcerr.PolicyDenied {
		t.Errorf("a proven peer is explained as %v", e)
	}
	if d := new(decide.Policy).Judge(t.Context(), &policy.Call{}); d.Reason() != rpcerr.CredentialsMissing {
		t.Errorf("nobody proven: %q", d.Reason())
	}
	if d := new(decide.Policy).Try(t.Context(), &policy.Call{}); !d.Allows() {
		t.Error("without a trial, it would refuse")
	}
}

// Only a server that says so tells a caller that another token would do.
func TestStepUp(t *testing.T) {
	for stepUp, want := range map[bool]rpcerr.Reason{false: rpcerr.PolicyDenied, true: rpcerr.InsufficientScope} {
		s := open(t)
		s.StepUp = stepUp
		p, err := compile(t, &policyv1.Auth{Scopes: []string{"read"}}, s)
		if err != nil {
			t.Fatal(err)
		}
		if d := p.Judge(t.Context(), &policy.Call{Method: quote, Peer: peer(t, "orders")}); d.Reason() != want {
			t.Errorf("step up %v: %s", stepUp, d.Reason())
		}
	}
}

// Requirements that no call could meet are mistakes.
func TestUnsatisfiable(t *testing.T) {
	connections := open(t)
	connections.Tokens, connections.UserIssuers = false, nil
	night := open(t)
	night.Predicates = []decide.Predicate{
		{Name: "at-night", Test: func(context.Context, policy.Call) bool { return true }},
	}
	required := policyv1.Presence_PRESENCE_REQUIRED
	for name, test := range map[string]struct {
		auth   *policyv1.Auth
		server *decide.Server
		says   string // "" where calls can meet them
	}{
		"scopes":                {&policyv1.Auth{Scopes: []string{"read"}}, open(t), ""},
		"scopes without tokens": {&policyv1.Auth{Scopes: []string{"read"}}, connections, "WithBearer"},
		"a user":                {&policyv1.Auth{User: &policyv1.User{Presence: &required}}, open(t), ""},
		"a user of no issuer":   {&policyv1.Auth{User: &policyv1.User{Presence: &required}}, connections, "WithUserIssuers"},
		"another issuer": {
			&policyv1.Auth{User: &policyv1.User{Issuers: []string{"x"}}}, open(t),
			`none of these issuers: "x"`,
		},
		"a predicate": {
			&policyv1.Auth{Deny: []*policyv1.Rule{{Name: new("r"), Predicates: []string{"at-night"}}}}, night, "",
		},
		"no such predicate": {
			&policyv1.Auth{Deny: []*policyv1.Rule{{Name: new("r"), Predicates: []string{"at-noon"}}}}, night, "it has at-night",
		},
		"a domain that is not accepted": {
			&policyv1.Auth{Deny: []*policyv1.Rule{{Name: new("r"), Peers: []string{"spiffe://evil.example/a"}}}}, open(t),
			"WithAcceptDomains",
		},
	} {
		_, err := compile(t, test.auth, test.server)
		if test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
			t.Errorf("%s: %v, want %q", name, err, test.says)
		}
	}
}

// A method without a decision is named.
func TestUndecided(t *testing.T) {
	_, err := decide.Compile(policy.Method{Name: "/a.B/C"}, open(t))
	if undecided, ok := errors.AsType[*policy.UndecidedError](err); !ok || undecided.Methods[0] != "/a.B/C" {
		t.Error(err)
	}
}

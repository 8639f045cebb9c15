package decide_test

import (
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/internal/decide"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

const (
	loginName = "https://login.shop.example"
	mintName  = "https://txn.shop.example"
)

// judged is the compiled policy of GetQuote, and who may be asked about.
type judged struct {
	t      testing.TB
	policy *decide.Policy
}

// judge compiles the policy of GetQuote, narrowed by a, for a server that accepts tokens, users and transactions.
func judge(t testing.TB, a *policyv1.Auth, change ...func(*decide.Server)) *judged {
	t.Helper()
	p, err := compile(t, a, server(t, change...))
	if err != nil {
		t.Fatal(err)
	}
	return &judged{t, p}
}

func server(t testing.TB, change ...func(*decide.Server)) *decide.Server {
	s := open(t)
	s.UserIssuers = []string{loginName, mintName}
	for _, set := range change {
		set(s)
	}
	return s
}

func withPredicate(name string, test policy.Predicate) func(*decide.Server) {
	return func(s *decide.Server) { s.Predicates = append(s.Predicates, decide.Predicate{Name: name, Test: test}) }
}

// peer is a service with a token of these claims and scopes.
func (j *judged) peer(service, claims string, scopes ...string) *principal.Peer {
	j.t.Helper()
	p := peer(j.t, service, scopes...)
	p.Claims, p.Audiences = parsed(j.t, claims), []string{"spiffe://shop.example/payments"}
	return p
}

func (j *judged) user(subject, claims string, scopes ...string) *principal.User {
	j.t.Helper()
	return &principal.User{Issuer: loginName, Subject: subject, Claims: parsed(j.t, claims), Scopes: scopes}
}

func (j *judged) explain(peer *principal.Peer, user *principal.User) policy.Explanation {
	return j.policy.Explain(j.t.Context(), &policy.Call{Method: quote, Peer: peer, User: user})
}

func parsed(t testing.TB, claims string) principal.Claims {
	t.Helper()
	if claims == "" {
		claims = "{}"
	}
	c, err := principal.ParseClaims([]byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func values(of ...any) []*structpb.Value {
	var all []*structpb.Value
	for _, v := range of {
		value, err := structpb.NewValue(v)
		if err != nil {
			panic(err)
		}
		all = append(all, value)
	}
	return all
}

func value(of any) *structpb.Value { return values(of)[0] }

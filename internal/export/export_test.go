package export_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/parley-rpc/parley/internal/export"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

// at states a value.
func at[T any](value T) policy.Value[T] {
	return policy.Value[T]{Value: value, Source: policy.Source{Kind: policy.KindFile, Place: "a.yaml:3"}}
}

// maybe states a value, or nothing.
func maybe[T any](r *rand.Rand, values ...T) policy.Value[T] {
	if r.IntN(4) == 0 {
		return policy.Value[T]{}
	}
	return at(values[r.IntN(len(values))])
}

// randomMethods are methods with random deadlines and retries.
func randomMethods(r *rand.Rand) []policy.Method {
	var methods []policy.Method
	for i := range 1 + r.IntN(4) {
		m := policy.Method{Name: fmt.Sprintf("/shop.v1.S%d/M%d", i%2, i), Described: true}
		m.Idempotency = maybe(r, policy.IdempotencyUnknown, policy.Idempotent, policy.NoSideEffects)
		m.Deadline = maybe(r, time.Millisecond, 1500*time.Millisecond, 2*time.Second, time.Hour+time.Nanosecond)
		m.Retry.MaxAttempts = maybe(r, 1, 2, 4, 10)
		m.Retry.InitialBackoff = maybe(r, 10*time.Millisecond, 50*time.Millisecond)
		m.Retry.MaxBackoff = maybe(r, 50*time.Millisecond, 2*time.Second)
		m.Retry.PerAttemptTimeout = maybe(r, 100*time.Millisecond)
		m.Retry.Codes = maybe(r, nil, []codes.Code{codes.Unavailable}, []codes.Code{codes.Aborted, codes.Unavailable})
		m.Hedge.MaxHedges = maybe(r, 0, 1)
		methods = append(methods, m)
	}
	return methods
}

// imported reads a service config as the policies that say the same.
func imported(t *testing.T, text []byte) []policy.Method {
	t.Helper()
	var config struct {
		MethodConfig []struct {
			Name        []struct{ Service, Method string }
			Timeout     string
			RetryPolicy *struct {
				MaxAttempts                int
				InitialBackoff, MaxBackoff string
				RetryableStatusCodes       []codes.Code
			}
		}
	}
	if err := json.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	duration := func(text string) policy.Value[time.Duration] {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		return at(d)
	}
	var methods []policy.Method
	for _, c := range config.MethodConfig {
		m := policy.Method{Name: "/" + c.Name[0].Service + "/" + c.Name[0].Method, Described: true}
		if c.Timeout != "" {
			m.Deadline = duration(c.Timeout)
		}
		if p := c.RetryPolicy; p != nil {
			m.Idempotency = at(policy.Idempotent)
			m.Retry.MaxAttempts, m.Retry.Codes = at(p.MaxAttempts), at(p.RetryableStatusCodes)
			m.Retry.InitialBackoff, m.Retry.MaxBackoff = duration(p.InitialBackoff), duration(p.MaxBackoff)
		}
		methods = append(methods, m)
	}
	return methods
}

// What both can say comes back as it was, and what cannot be said is noted.
func TestServiceConfigRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		methods := randomMethods(r)
		text, notes, err := export.ServiceConfig(methods, export.UsualBudget())
		if err != nil {
			t.Fatal(err)
		}
		back := map[string]policy.Method{}
		known := imported(t, text)
		for _, m := range known {
			back[m.Name] = m
		}
		again, more, err := export.ServiceConfig(known, export.UsualBudget())
		if err != nil || len(more) > 0 || !bytes.Equal(again, text) {
			t.Fatalf("%v %v\n%s\nis exported again as\n%s", err, more, text, again)
		}
		for _, m := range methods {
			compare(t, m, back[m.Name], notes)
		}
		if t.Failed() {
			t.Fatalf("%+v\n%s", methods, text)
		}
	}
}

// compare fails if a stated value has neither come back nor a note.
func compare(t *testing.T, m, back policy.Method, notes []export.Note) {
	t.Helper()
	noted := func(field string) bool {
		return slices.ContainsFunc(notes, func(n export.Note) bool { return n.Method == m.Name && n.Field == field })
	}
	if m.Deadline.Value != back.Deadline.Value {
		t.Errorf("the deadline %v is %v", m.Deadline.Value, back.Deadline.Value)
	}
	repeated := back.Retry.MaxAttempts.Value > 1
	if repeated && m.Idempotency.Value == policy.IdempotencyUnknown {
		t.Errorf("%s must not be repeated and is", m.Name)
	}
	if n := m.Retry.MaxAttempts; n.Value > 1 && n.Value != back.Retry.MaxAttempts.Value &&
		!noted("retry.max_attempts") && !noted("retry.codes") {
		t.Errorf("%d attempts are %d without a note", n.Value, back.Retry.MaxAttempts.Value)
	}
	if n := m.Retry.MaxAttempts; n.Value == 1 && repeated {
		t.Errorf("1 attempt is %d", back.Retry.MaxAttempts.Value)
	}
	if m.Hedge.MaxHedges.Value > 0 && !noted("hedge") {
		t.Error("hedges are dropped without a note")
	}
	if m.Retry.PerAttemptTimeout.Stated() && !noted("retry.per_attempt_timeout") {
		t.Error("the time per attempt is dropped without a note")
	}
	if !repeated {
		return
	}
	if d := m.Retry.InitialBackoff; d.Stated() && d.Value != back.Retry.InitialBackoff.Value {
		t.Errorf("the backoff %v is %v", d.Value, back.Retry.InitialBackoff.Value)
	}
	if d := m.Retry.MaxBackoff; d.Stated() && d.Value != back.Retry.MaxBackoff.Value {
		t.Errorf("the largest backoff %v is %v", d.Value, back.Retry.MaxBackoff.Value)
	}
	if c := m.Retry.Codes; c.Stated() && !slices.Equal(c.Value, back.Retry.Codes.Value) {
		t.Errorf("the codes %v are %v", c.Value, back.Retry.Codes.Value)
	}
}

// grpc-go takes every service config.
func TestServiceConfigIsTakenByClients(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		text, _, err := export.ServiceConfig(randomMethods(r), export.Budget{Max: float64(1 + r.IntN(2000)), Ratio: 0.1})
		if err != nil {
			t.Fatal(err)
		}
		conn, err := grpc.NewClient("passthrough:///x", grpc.WithDefaultServiceConfig(string(text)),
			grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// What Istio cannot demand is an error that names it, and never left out.
func TestIstioIsNeverWider(t *testing.T) {
	domain, err := principal.ParseTrustDomain("shop.example")
	if err != nil {
		t.Fatal(err)
	}
	base := policy.Auth{Access: at(policy.AccessPeers), Peers: []policy.Value[[]string]{at([]string{"orders"})}}
	for name, test := range map[string]struct {
		change func(*policy.Auth)
		says   string
	}{
		"scopes": {func(a *policy.Auth) { a.Scopes = at([]string{"pay"}) }, "auth.scopes"},
		"proof":  {func(a *policy.Auth) { a.Proof = at(policy.ProofSession + 1) }, "auth.proof"},
		"claims in an allow rule": {func(a *policy.Auth) {
			rules := []policy.Rule{{Name: "eu", Peers: []string{"orders"}, Scopes: []string{"eu"}}}
			a.Allow = []policy.Value[[]policy.Rule]{at(rules)}
		}, "the rule eu asks for more than peers"},
		"audiences in a deny rule": {func(a *policy.Auth) {
			a.Deny = []policy.Rule{{Name: "no-old", Audiences: []string{"old"}}}
		}, "the rule no-old asks for more than peers"},
		"issuers of some users": {
			func(a *policy.Auth) { a.User.Issuers = at([]string{"https://login.example"}) }, "auth.user.issuers",
		},
		"scopes of users": {func(a *policy.Auth) { a.User.Scopes = at([]string{"pay"}) }, "auth.user.scopes"},
		"a wrong peer": {func(a *policy.Auth) {
			a.Peers = []policy.Value[[]string]{at([]string{"spiffe://shop.example/a*"})}
		}, "auth.peers"},
	} {
		m := policy.Method{Name: "/shop.v1.S/M", Described: true, Auth: base}
		test.change(&m.Auth)
		text, _, err := export.Istio([]policy.Method{m}, export.Workload{Name: "s", Namespace: "shop", Domain: domain})
		if err == nil || !strings.Contains(err.Error(), test.says) || text != nil {
			t.Errorf("%s: %v, want %q\n%s", name, err, test.says, text)
		}
	}
}

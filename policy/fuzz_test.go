package policy_test

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/internal/protoyaml"
	"github.com/parley-rpc/parley/policy"
)

// Whatever a policy says, reading it ends in Mistakes or in a policy that a second layer of the same does not change
// and that never opens what the .proto has closed.
func FuzzRead(f *testing.F) {
	for _, seed := range []*policyv1.Policy{
		{},
		deadline(1),
		auth(&policyv1.Auth{Peers: []string{"orders"}, Scopes: []string{"a"}, DryRun: new(true)}),
		allow(peersRule("r", "orders", "")),
		deny(rule("no-dev", &policyv1.Claim{Path: []string{"env"}, Any: text("dev"), None: text("dev"), Exists: new(false)})),
		auth(&policyv1.Auth{User: &policyv1.User{Presence: new(policyv1.Presence(7)), Issuers: []string{"https://a"}}}),
	} {
		wire, err := proto.Marshal(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire)
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		p := new(policyv1.Policy)
		if proto.Unmarshal(wire, p) != nil {
			return
		}
		once(t, p)
	})
}

// FuzzReadYAML is FuzzRead from the text of a configuration file.
func FuzzReadYAML(f *testing.F) {
	for _, seed := range []string{
		"auth: {peers: [orders]}",
		"auth: {deny: [{name: no-dev, claims: [{path: [env], any: [dev, 1, true]}]}]}",
		"auth:\n  allow:\n  - name: checkout\n    peers: [orders]\n    user: {issuers: ['https://login.example'], scopes: [buy], claims: [{path: [mfa], equals: true}]}\n  user: {presence: required}\n",
		"auth: {dry_run: true, access: denied}",
		"auth: {allow: [{name: r, claims: [{path: [scope], split: space, all: [a, b], exists: true}], predicates: [p]}]}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p := new(policyv1.Policy)
		if _, err := protoyaml.Unmarshal("fuzz.yaml", []byte(text), p); err != nil {
			if _, ok := errors.AsType[*protoyaml.Mistake](err); !ok {
				t.Errorf("got %v, want Mistakes", err)
			}
			return
		}
		once(t, p)
	})
}

func once(t *testing.T, p *policyv1.Policy) {
	one, err := policy.New(file(policies{charge: p}))
	if err != nil {
		if _, ok := errors.AsType[*policy.Mistake](err); !ok {
			t.Errorf("got %v, want Mistakes", err)
		}
		return
	}
	m := method(t, one, charge)
	tightens(t, method(t, policy.FromProto(), charge), m)
	twice := method(t, newTable(t, file(policies{charge: p}), file(policies{charge: p})), charge)
	if got, want := effect(twice).String(), effect(m).String(); got != want {
		t.Errorf("a second layer of the same changes\n%s\nto\n%s", want, got)
	}
	_ = m.Warnings()
}

// A policy as a configuration file states it.
func TestPolicyInYAML(t *testing.T) {
	const yaml = `
policies:
  /shop.payments.v1.PaymentsService/Charge:
    auth:
      deny:
      - name: no-dev
        claims: [{path: [env], any: [dev, test]}, {path: [realm.access, level], equals: 2}]
      allow:
      - name: checkout
        peers: [orders]
        user:
          issuers: [https://login.example]
          claims:
          - {path: [scope], split: space, all: [payments.charge]}
          - {path: [mfa], equals: true}
      user: {presence: required}
`
	config := new(configv1.Config)
	places, err := protoyaml.Unmarshal("orders.yaml", []byte(yaml), config)
	if err != nil {
		t.Fatal(err)
	}
	table := newTable(t, policy.File("orders.yaml", config.GetPolicies(), func(m string) int { return places.Line("policies", m) }))
	m := method(t, table, charge)
	if len(m.Auth.Deny) != 1 || len(m.Auth.Allow) != 1 || m.Auth.User.Presence.Value != policy.PresenceRequired {
		t.Fatalf("got %v", m)
	}
	level, mfa := m.Auth.Deny[0].Claims[1].Equals, m.Auth.Allow[0].Value[0].User.Claims[1].Equals
	if *level != (policy.Scalar{Kind: policy.ScalarNumber, Number: 2}) || *mfa != (policy.Scalar{Kind: policy.ScalarBool, Bool: true}) {
		t.Errorf("got %v and %v, want a number and a boolean", level, mfa)
	}
	if got := m.Auth.Deny[0].Source.String(); got != "file orders.yaml:3" {
		t.Errorf("the rule is of %q", got)
	}
}

// What the strict reader says about a misspelled rule.
func TestMistakesInYAML(t *testing.T) {
	var fields []string
	for i, claim := 0, new(policyv1.Claim).ProtoReflect().Descriptor().Fields(); i < claim.Len(); i++ {
		fields = append(fields, string(claim.Get(i).Name()))
	}
	for text, want := range map[string]string{
		"auth: {deny: [{name: r, claims: [{path: [env], nay: [dev]}]}]}":         `f:1:48: auth.deny[0].claims[0]: unknown key "nay"; did you mean "any"?`,
		"auth: {deny: [{name: r, claims: [{path: [env], contains: [dev]}]}]}":    `f:1:48: auth.deny[0].claims[0]: unknown key "contains"; the keys here are ` + strings.Join(fields, ", "),
		"auth: {deny: [{name: r, claims: [{path: env, any: [dev]}]}]}":           `f:1:41: auth.deny[0].claims[0].path: want a list, got a string`,
		"auth: {deny: [{name: r, claims: [{path: [env], any: dev}]}]}":           `f:1:53: auth.deny[0].claims[0].any: want a list, got a string`,
		"auth: {deny: [{name: r, claims: [{path: [env], any: [[dev]]}]}]}":       `f:1:54: auth.deny[0].claims[0].any[0]: want a string, a number, or true or false, got a list`,
		"auth: {deny: [{name: r, claims: [{path: [env], equals: }]}]}":           `f:1:56: auth.deny[0].claims[0].equals: want a string, a number, or true or false, got nothing; give it a value, or take the key out`,
		"auth: {deny: [{name: r, claims: [{path: [env], equals: 0x10}]}]}":       `f:1:56: auth.deny[0].claims[0].equals: want a decimal number, got "0x10"; put it in quotes if it is a string`,
		"auth: {deny: [{name: r, claims: [{path: [env], equals: .inf}]}]}":       `f:1:56: auth.deny[0].claims[0].equals: want a decimal number, got ".inf"; put it in quotes if it is a string`,
		"auth: {deny: [{name: r, claims: [{path: [env], equals: True}]}]}":       `f:1:56: auth.deny[0].claims[0].equals: want true or false, got "True"; put it in quotes if it is a string`,
		"auth: {deny: [{name: r, claims: [{path: [day], equals: 2026-01-01}]}]}": `f:1:56: auth.deny[0].claims[0].equals: want a string, a number, or true or false, got a date; put it in quotes`,
		"auth: {user: {presence: mandatory}}":                                    `f:1:25: auth.user.presence: want one of optional, required, got "mandatory"`,
	} {
		_, err := protoyaml.Unmarshal("f", []byte(text), new(policyv1.Policy))
		if err == nil || err.Error() != want {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
}
